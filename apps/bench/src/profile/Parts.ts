/**
 * The parts that the time of an operation is divided into, by the file that was running: the nearest file of
 * this project, counting from the function that was at work outwards. So what Node and Effect do on
 * behalf of a file counts as that file's.
 */

type Rule = readonly [part: string, file: RegExp]

/** The first that fits counts. */
const rules: ReadonlyArray<Rule> = [
  ["frame", /transport-tcp\/src\/(Frame|MessageCodec|Parcel\.|ClientCodec)/],
  ["socket", /transport-tcp\/src\//],
  ["WAL", /storage-file\/src\/|internal\/LogWriter/],
  ["mailbox", /internal\/(Mailbox|Doorbell|Admission)/],
  ["log", /consensus\/RaftLog|core\/src\/(LogEntry|LogIndex)/],
  ["replicate", /consensus\/(Replication|Progress|LogMatching)|roles\/|internal\/RoleScope/],
  ["apply", /internal\/Applier|core\/src\/sessions|kv\/src\/(KvMachine|ForkableMap|Bucket|KvSnapshot)/],
  ["step", /core\/src\/consensus\/|core\/src\/RaftNode|internal\/Turns/],
  ["client's call", /internal\/client\//],
  ["reply", /internal\/|core\/src\//],
  ["command codec", /kv\/src\//],
  ["load generator", /bench\/src\/(load|ClosedLoop)/]
]

/** The part of a file of this project; `undefined` for files of others. */
export const partOf = (url: string): string | undefined => {
  if (url.includes("node_modules/") || !url.startsWith("file:")) return undefined
  return rules.find(([, file]) => file.test(url))?.[0]
}

/** What no file of ours asked for: the event loop, sockets as they wake, fibers as they are resumed. */
export const runtime = "Node and Effect by themselves"
export const garbage = "garbage collection"
