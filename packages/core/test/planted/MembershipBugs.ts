/**
 * Bugs around who belongs to the cluster and who leads it: changes of the membership, leadership transfer,
 * and reads by a lease.
 */
import * as Aims from "./Aims.ts"
import type { Bug } from "./Bug.ts"

export const membershipBugs: ReadonlyArray<Bug> = [
  {
    name: "a learner is counted in the quorum",
    claim: "a non-voting member is not counted towards majorities (paper, 6; thesis, 4.2.1)",
    file: "consensus/Commitment.ts",
    find: "Quorum.reachedBy(Membership.votingSets(state.membership), (voter) =>",
    replace:
      "Quorum.reachedBy(Membership.votingSets(state.membership).map((set) => [...set, ...state.membership.learners.map(({ id }) => id)]), (voter) =>",
    aim: Aims.reconfigured
  },
  {
    name: "a change is begun before the leader's first commit",
    claim:
      "a leader begins no change before an entry of its own term is committed (thesis, 4.1, note of 2015)",
    file: "consensus/Reconfiguration.ts",
    find: "if (state.commitIndex < state.role.termStartIndex)",
    replace: "if (state.commitIndex < 0)",
    aim: Aims.reconfigured
  },
  {
    name: "two changes are in flight",
    claim: "a change begins when the one before it is committed (thesis, 4.1)",
    file: "consensus/Reconfiguration.ts",
    find: 'return index > state.commitIndex ? { _tag: "ChangeInFlight", index } : undefined',
    replace: "return undefined",
    aim: Aims.reconfigured
  },
  {
    name: "a joint membership is left before it is committed",
    claim: "C-new may be appended once C-old,new is committed (paper, 6)",
    file: "consensus/Reconfiguration.ts",
    find: '  emit({ _tag: "MembershipAppended", requestId, index, term: state.currentTerm })\n  return append(state, next, stamp, emit)',
    replace:
      '  emit({ _tag: "MembershipAppended", requestId, index, term: state.currentTerm })\n' +
      "  const joint = append(state, next, stamp, emit)\n" +
      '  return next._tag === "Joint" && isLeading(joint) ? append(joint, NextMembership.leaveJoint(next), stamp, emit) : joint',
    aim: Aims.reconfigured
  },
  {
    name: "a configuration that is cut away stays in force",
    claim: "a server falls back to the configuration before, where an entry is removed (thesis, 4.1)",
    file: "consensus/Durable.ts",
    find: "truncateFrom === undefined ? configurations : Configurations.truncateFrom(configurations, truncateFrom)",
    replace: "configurations",
    aim: Aims.reconfigured
  },
  {
    name: "a removed node stands for election",
    claim: "a server that is not part of its latest configuration starts no election (thesis, 4.2.2)",
    file: "consensus/Election.ts",
    find: "if (!mayStand(state)) {",
    replace: "if (state.membership.voters.length === 0) {",
    aim: Aims.reconfigured
  },
  {
    name: "the vote of a node that was removed counts",
    claim: "a server that is not in the new configuration is not counted (thesis, 4.2.2)",
    file: "consensus/Quorum.ts",
    find: "const granted = set.filter((voter) => votes.get(voter) === true).length",
    replace: "const granted = Array.from(votes.values()).filter((isGranted) => isGranted).length",
    aim: Aims.reconfigured
  },
  {
    name: "a transfer never gives up",
    claim: "a transfer that is not done within an election timeout is abandoned (thesis, 3.10)",
    file: "consensus/LeadershipTransfer.ts",
    find: "return isLast ? giveUp(state, role, role.transfer, emit) : state",
    replace:
      "return isLast && role.transfer.to === state.self ? giveUp(state, role, role.transfer, emit) : state",
    aim: Aims.reconfigured
  },
  {
    name: "a lease makes no allowance for clocks",
    claim: "a lease relies on a bound on clock drift across servers (thesis, 6.4.1)",
    file: "consensus/Lease.ts",
    find: "electionTimeoutMillis * (1 - maxClockDriftPercent / 100)",
    replace: "electionTimeoutMillis",
    aim: Aims.all(Aims.drifting, Aims.busy)
  }
]
