/** `effect-raft recover`: goes on with one survivor, where a majority of the voters is lost for good. */
import * as Membership from "@effect-raft/core/Membership"
import * as NodeLogFileSystem from "@effect-raft/storage-file/NodeLogFileSystem"
import * as Recover from "@effect-raft/storage-file/Recover"
import * as Address from "@effect-raft/transport-tcp/Address"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { fail } from "../ExitCode.ts"
import * as Flags from "../Flags.ts"

const flags = {
  directory: Flags.directory.pipe(
    Flag.withDescription("The directory of the survivor whose log reaches furthest; its node must be stopped")
  ),
  address: Flags.hostPort("address").pipe(
    Flag.withDescription("Where the node is reached by its peers; needed where its log does not say"),
    Flag.map((address) => Address.format(address)),
    Flag.optional
  ),
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withDescription("Only say what would be done"),
    Flag.withDefault(false)
  ),
  force: Flag.Boolean("force").pipe(Flag.withDescription("Do it"), Flag.withDefault(false))
}

export const recover = Command.make(
  "recover",
  flags,
  Effect.fnUntraced(function* ({ address, directory, dryRun }) {
    const recovery = yield* Recover.recover({
      directory,
      dryRun,
      ...(Option.isNone(address) ? {} : { address: address.value })
    }).pipe(
      Effect.provide(NodeLogFileSystem.layer),
      Effect.mapError((error) => fail(error.message))
    )
    yield* Effect.forEach(warnings, (warning) => Console.error(`WARNING: ${warning}`), { discard: true })
    yield* Console.log(textOf(recovery, directory, dryRun))
  })
).pipe(
  Command.validate(({ dryRun, force }) =>
    dryRun === force
      ? Effect.fail(
          new CliError.ValidationError({
            message:
              "Give --dry-run to see what would be done, or --force to do it; it cannot be undone, and writes may be lost"
          })
        )
      : Effect.void
  ),
  Command.withDescription(
    "The last resort: where a majority of the voters is lost for good, make the node of one survivor's directory the " +
      "only member, and grow the cluster again from there. Writes that were acknowledged may be lost, and writes that " +
      "were not may appear. Compare the survivors with `effect-raft inspect` first, and take the one whose log ends in " +
      "the highest term, and of those the longest. Leaves a record in the log. " +
      "Exit codes: 0 done; 1 the directory is in use or cannot be used; 2 wrong usage."
  ),
  Command.withShortDescription("Go on with one survivor of a lost majority")
)

const warnings = [
  "writes that the lost majority had acknowledged and this log does not hold are lost for good",
  "writes that this log holds and nobody had acknowledged take effect",
  "no other member of the old cluster may ever be started again with its old data: there could be two clusters of one name",
  "make a copy of this directory before you start the node"
]

const textOf = (
  { former, identity, index, lastIndex, lastTerm, membership, term }: Recover.Recovery,
  directory: string,
  dryRun: boolean
): string => {
  const [self] = membership.voters
  const before =
    former === undefined
      ? "those it was started with; the log does not name them"
      : Membership.allMembers(former)
          .map(({ address, id }) => `${id}=${address}`)
          .join(", ")
  return [
    dryRun ? "dry run: nothing was written" : `done: the entry at index ${index} of term ${term} says so`,
    `node:     ${identity.nodeId} of cluster ${identity.clusterId}, group ${identity.groupId}`,
    `log:      ends at index ${lastIndex} of term ${lastTerm}; all of it ${dryRun ? "would be" : "is"} committed`,
    `members:  before: ${before}`,
    `          ${dryRun ? "would be" : "now"}: ${identity.nodeId}=${self?.address ?? ""} alone`,
    `next:     effect-raft serve --cluster-id ${identity.clusterId} --node-id ${identity.nodeId} --directory ${directory} ` +
      `--listen ${self?.address ?? "HOST:PORT"} --http HOST:PORT --member ${identity.nodeId}=${self?.address ?? "HOST:PORT"}`,
    "          then add new nodes, under new names and with empty directories, by `effect-raft member add`"
  ].join("\n")
}
