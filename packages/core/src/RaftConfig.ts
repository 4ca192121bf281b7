/**
 * The settings of a node. Every one has a default that suits a local network; every bound says what
 * happens when it is reached.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const positive = (byDefault: number) =>
  Schema.Int.check(Schema.isGreaterThan(0)).pipe(Schema.withConstructorDefault(Effect.succeed(byDefault)))

const natural = (byDefault: number) =>
  Schema.Natural.pipe(Schema.withConstructorDefault(Effect.succeed(byDefault)))

const enabled = Schema.Boolean.pipe(Schema.withConstructorDefault(Effect.succeed(true)))

/**
 * Timing and bounds of one node.
 *
 * `heartbeatIntervalMillis` must be at most half of `electionTimeoutMillis`, or followers would
 * campaign against a healthy leader after a single lost message.
 */
export class RaftConfig extends Schema.Class<RaftConfig>("effect-raft/RaftConfig")(
  Schema.Struct({
    /**
     * How long a follower waits for its leader before it campaigns, in milliseconds: at least t, and less
     * than 2t (paper, section 5.2). The followers of one leader take turns, a heartbeat interval apart, the
     * first after t; who knows no leader draws each wait anew. Smaller: faster fail-over. Too small for the
     * network or the machine: needless elections.
     */
    electionTimeoutMillis: positive(500),
    /** How often an idle leader says that it is alive, in milliseconds. */
    heartbeatIntervalMillis: positive(100),
    /** Ask before campaigning, so that a node back from a partition disturbs nobody (thesis, 9.6). */
    preVote: enabled,
    /** A leader that hears from no quorum for an election timeout steps down (thesis, 6.2). */
    checkQuorum: enabled,
    /**
     * Lets leaders answer reads of `consistency: "lease"` without asking a quorum each time, as long as no
     * other leader can have been elected. Needs `checkQuorum`, and clocks that keep `maxClockDriftPercent`;
     * the same on every node. A broken connection then starts no early election, and a node that was just
     * started votes for nobody for an election timeout.
     */
    leaseReads: Schema.Boolean.pipe(Schema.withConstructorDefault(Effect.succeed(false))),
    /**
     * With `leaseReads`: by how much any node's clock may run slower than any other's, in percent. Where it
     * is more, a lease read may miss a write that another leader has answered.
     */
    maxClockDriftPercent: natural(10),
    /**
     * Who should rather lead: a node with a priority stands in the first turn, whosever that is, and with
     * priority p waits only the first 1/(1+p) of the time from which others draw, so it mostly stands first.
     * Safety does not depend on it, nor does anybody wait longer for it.
     */
    electionPriority: natural(0),
    /** Entries of one append message, in bytes; at least one entry is always sent. */
    maxAppendBytes: positive(512 * 1024),
    /** Entries sent to one follower and not yet acknowledged. Past it the leader waits. */
    maxInflightEntries: positive(16_384),
    /** Bytes sent to one follower and not yet acknowledged. Past it the leader waits. */
    maxInflightBytes: positive(8 * 1024 * 1024),
    /**
     * How much of the committed log a learner may lack when it becomes a voter, in bytes. More is refused:
     * until it has caught up it would not count for the quorum that needs it (thesis, section 4.2.1).
     */
    maxPromotionLagBytes: natural(1024 * 1024),
    /** Bytes a leader holds uncommitted. Past it proposals answer `Overloaded`. */
    maxUncommittedBytes: positive(64 * 1024 * 1024),
    /** Proposals and reads that wait in the mailbox. Past it they answer `Overloaded`. */
    maxQueuedRequests: positive(16_384),
    /** Requests of one remote client's connection that are unanswered. Past it they answer `Overloaded`. */
    maxClientRequests: positive(8192),
    /** Peer messages that wait in the mailbox. Past it they are dropped, as a network might. */
    maxQueuedMessages: positive(16_384),
    /** Size of one encoded command. Larger ones answer `CommandTooLarge`. */
    maxCommandBytes: positive(1024 * 1024),
    /** Events of one actor turn; after it the event loop gets its turn. */
    maxTurnEvents: positive(1024),
    /** A snapshot is taken when this many entries were applied since the last one. */
    snapshotEveryEntries: positive(1_000_000),
    /** A snapshot is taken when this many bytes of log were applied since the last one, at the latest. */
    snapshotEveryBytes: positive(64 * 1024 * 1024),
    /**
     * A state that is small is written sooner, which keeps the log short: when the log since the last snapshot is six
     * times as long as that snapshot, or eight times this many bytes and twice as long; but not below this many bytes.
     */
    snapshotAtLeastBytes: positive(2 * 1024 * 1024),
    /** Entries that stay in the log before a snapshot, for followers that are a little behind. */
    snapshotTrailingEntries: natural(10_000),
    /**
     * Bytes of entries that stay at most, and no more than a quarter of what the snapshot covers, where that is
     * above 512 KiB; a leader keeps up to all of them for a follower that answers and lacks them. The log is then no
     * longer than this and `snapshotEveryBytes`. While a follower gets a snapshot and catches up, its leader's log
     * goes back to the snapshot before, or by so many bytes where snapshots are closer together.
     */
    snapshotTrailingBytes: natural(16 * 1024 * 1024),
    /** Size of one piece of a snapshot on its way to a follower. */
    snapshotPieceBytes: positive(256 * 1024),
    /**
     * How long a proposal or read waits for a leader to be known before it answers `NoLeader`, and how
     * long a forwarded proposal waits for the leader's word before it answers `OutcomeUnknown` at the
     * node's next turn.
     */
    requestTimeoutMillis: positive(3000),
    /**
     * How long a session that is opened here may be idle before it expires, by the time in the log, in
     * milliseconds. Its client keeps it alive. Too small for the network: clients lose their sessions. Large:
     * the sessions of dead clients are kept for so long.
     */
    sessionTimeoutMillis: positive(60_000),
    /** Sessions of the whole group. Past it an opening answers `Overloaded`. */
    maxSessions: positive(4096),
    /** Commands that a session may have under way. Past it they answer `Overloaded`. */
    maxSessionReplies: positive(256),
    /** Bytes of answers kept for a session until its client acknowledges them. Past it: `Overloaded`. */
    maxSessionReplyBytes: positive(64 * 1024)
  }).check(
    Schema.makeFilter((config) =>
      config.heartbeatIntervalMillis * 2 <= config.electionTimeoutMillis
        ? undefined
        : `heartbeatIntervalMillis (${config.heartbeatIntervalMillis}) must be at most half of electionTimeoutMillis (${config.electionTimeoutMillis})`
    ),
    Schema.makeFilter((config) =>
      config.leaseReads && !config.checkQuorum
        ? "leaseReads needs checkQuorum: without it followers protect no leader, and a lease would mean nothing"
        : undefined
    ),
    Schema.makeFilter((config) =>
      config.maxClockDriftPercent < 100
        ? undefined
        : `maxClockDriftPercent (${config.maxClockDriftPercent}) must be below 100: no lease would be left`
    )
  )
) {}
