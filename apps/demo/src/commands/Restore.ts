/** `effect-raft restore`: the directory of a node of a new cluster, from a backup. */
import { ClusterId, NodeId } from "@effect-raft/core/NodeId"
import * as Membership from "@effect-raft/core/Membership"
import { KvMachine } from "@effect-raft/kv/KvMachine"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as RestoreStore from "@effect-raft/storage-file/Restore"
import * as Argument from "effect/cli/Argument"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as BackupFile from "../BackupFile.ts"
import { fail } from "../ExitCode.ts"
import * as Flags from "../Flags.ts"

const flags = {
  file: Argument.String("file").pipe(Argument.withDescription("The backup")),
  directory: Flags.directory.pipe(
    Flag.withDescription("The node's directory; it must be empty, and is made if it is not there")
  ),
  nodeId: Flags.name("node-id").pipe(
    Flag.withDescription("The node that will have the directory; --member must list it")
  ),
  members: Flags.members,
  clusterId: Flags.name("cluster-id").pipe(
    Flag.withDescription(
      "The new cluster's name; made from the old one's and the backup unless told, the same on every node"
    ),
    Flag.optional
  )
}

export const restore = Command.make(
  "restore",
  flags,
  Effect.fnUntraced(function* ({ clusterId, directory, file, members, nodeId }) {
    // All of it is checked before anything is written.
    const { digest, header } = yield* BackupFile.check(file)
    if (header.machine !== KvMachine.machine.name) {
      return yield* fail(
        `${file} holds the state of ${header.machine}, and this program runs ${KvMachine.machine.name}; nothing was changed`
      )
    }
    const identity = {
      clusterId: ClusterId.make(Option.getOrElse(clusterId, () => newName(header.clusterId, digest))),
      groupId: header.groupId,
      nodeId: NodeId.make(nodeId)
    }
    yield* BackupFile.use(file, ({ contents }) =>
      RestoreStore.restore({
        directory,
        identity,
        meta: { ...header.snapshot, membership: Membership.ofVoters(members) },
        contents
      })
    ).pipe(
      Effect.provide(NodeLogFileSystem.layer),
      Effect.mapError((error) => (error._tag === "CommandFailed" ? error : fail(error.message)))
    )
    yield* Console.log(
      [
        `restored: ${directory}, as of index ${header.snapshot.lastIndex} of term ${header.snapshot.lastTerm}`,
        `owner: node ${nodeId} of cluster ${identity.clusterId}`,
        "next: restore the same file for every other --member, then start them all with",
        `  effect-raft serve --cluster-id ${identity.clusterId} --node-id ${nodeId} --directory ${directory} ` +
          `--listen ${members[nodeId]} --http HOST:PORT ` +
          Object.entries(members)
            .map(([id, address]) => `--member ${id}=${address}`)
            .join(" ")
      ].join("\n")
    )
  })
).pipe(
  Command.validate((input) => {
    const mistake = Flags.membersMistake(input)
    return mistake === undefined
      ? Effect.void
      : Effect.fail(new CliError.ValidationError({ message: mistake }))
  }),
  Command.withDescription(
    "Make the directory of a node of a new cluster from a backup. Do it for every member, from the same file and " +
      "with the same --member flags, before any of them is started. The new cluster has another name, so that nodes " +
      "of the old one that may still run are refused. " +
      "Exit codes: 0 done; 1 the file or the directory cannot be used; 2 wrong usage."
  ),
  Command.withShortDescription("Make a node's directory from a backup")
)

/** Characters of a name, at most. */
const maxNameLength = 64

/** The same for everybody who restores this backup, and of no other cluster. */
const newName = (old: string, digest: string): string => {
  const suffix = `-restored-${digest.slice(0, 8)}`
  return old.slice(0, maxNameLength - suffix.length) + suffix
}
