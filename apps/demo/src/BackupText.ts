/** What a backup is, in words. */
import * as Membership from "@effect-raft/core/Membership"
import type { BackupReport } from "./BackupFile.ts"

export const of = ({ contentsBytes, digest, file, header }: BackupReport): string => {
  const { clusterId, groupId, machine, nodeId, snapshot, takenAtMillis } = header
  const members = Membership.allMembers(snapshot.membership).map(({ address, id }) => `${id}=${address}`)
  return [
    `backup: ${file}, ${contentsBytes} bytes of data, every byte as written`,
    `of: cluster ${clusterId}, group ${groupId}, machine ${machine}`,
    `as of: index ${snapshot.lastIndex} of term ${snapshot.lastTerm}, taken by ${nodeId} on ${new Date(takenAtMillis).toISOString()}`,
    `members then: ${members.join(", ")}`,
    `sha-256: ${digest}`
  ].join("\n")
}
