// The guards: what the adapter does about each known fault of libraft 0.22.1, and the switch that
// lets a test show that the guard is needed.
//
// How each fault was found, and the engine's lines, are in docs/adr/0005-libraft-behind-guards.md.
// Each guard stands in one place of the adapter; guards_test.cc has for each one scenario that goes
// well with it and wrong without.
#pragma once

#include <memory>

#include "consensus/raft_core.h"

namespace cairn::consensus {

struct Guards {
  // G1. The engine believes an AppendEntries with prev 0 even when it has compacted what follows
  // (replication.c:605: reads beyond the array), and rejects one whose prev it has compacted
  // (:611: the leader then steps below its match index). What is committed matches anyway: skip
  // those entries and take the commit index as prev.
  bool anchor_at_commit = true;
  // G2, G3. A late rejection moves next_index to or below match_index (progress.c:331-373); the
  // window then underflows and the follower gets empty heartbeats for ever.
  bool drop_stale_rejections = true;
  // G4. A vote result that reaches a node which is no candidate is read as if it were one: the
  // pre-vote flag is another state's bytes (recv_request_vote_result.c:32).
  bool votes_only_for_candidates = true;
  // G5. Answers to an older term's AppendEntries with prev 0 or InstallSnapshot carry no rejection
  // and an uninitialised index (recv_install_snapshot.c:36): an acknowledgement of anything, should
  // the receiver lead our term by then.
  bool answer_stale_leaders = true;
  // G6. A denied pre-vote echoes the request's term (recv_request_vote.c:116): a candidate with a
  // longer log and an older term never learns why it is denied.
  bool tell_term_when_denying = true;
  // G7. An uncommitted configuration is recorded at the index of its message's first entry
  // (replication.c:851): never seen as committed, and kept in force after it was truncated.
  bool split_at_configuration = true;
  // G8. A refused change within a batch leaves the engine's log ahead of ours (client.c:117), and a
  // swap of two servers gives one the match index of the other (membership.c:131): changes travel
  // alone and differ in one member.
  bool one_change_at_a_time = true;
  // G9. A server that is no voter by its own, older configuration denies (election.c:207), and one
  // that is no voter never forgets its leader (timeout.c:51): the candidate's configuration
  // decides.
  bool vote_as_asked = true;
  // G10. Two voters become one, the change reaches only the demoted node, the leader loses it in a
  // crash: nobody can be elected. A configuration is sent once it is durable here.
  bool hold_configuration = true;
  // G11. When exactly index 1 is compacted, the engine takes entry 1 for present
  // (replication.c:202) and sends a blank follower empty heartbeats for ever.
  bool snapshot_at_one = true;
  // G12. A lost InstallSnapshot is sent again only after the install timeout (30 s by default) if
  // the log was compacted meanwhile (progress.c:336). Ours is one small message: 3 s.
  bool resend_snapshot_soon = true;
  // G13. After a mismatch next_index goes back by one per round trip, with all entries each time
  // (progress.c:370): both sides skip whole terms instead.
  bool skip_divergent_terms = true;
  // G14. A candidate that lost a real election repeats it with ever higher terms and no pre-vote
  // (timeout.c:98): one whose log is too short deposes every better candidate.
  bool pre_vote_again = true;
  // G15. A configuration that arrives before the one ahead of it is known as committed takes its
  // place (membership.c:143), and when it is truncated the engine goes back beyond both. A leader
  // appends the second only after the first is committed, so: note the first as committed.
  bool commit_before_next_change = true;
  // G16. TimeoutNow leaves when the follower has what its answer says, not when it has all
  // (replication.c:485); the follower ignores it while its log is shorter or being written
  // (recv_timeout_now.c:56). Then the transfer is lost, and the leader takes no proposals until it
  // gives up. Held until the follower has acknowledged all.
  bool hand_over_when_matched = true;
  // G17. What a member acknowledged before it was let go may arrive when it is a member again, with
  // nothing of it (docs/adr/0017): the engine takes it for caught up, and for ever disbelieves it
  // when it says otherwise. Whoever is taken in is asked first; links are in order, so no
  // acknowledgement that comes before its answer is of now.
  bool ask_newcomers = true;
  // G18. A follower that lost what it had acknowledged (rot in the last write before a power cut, a
  // disk that lies about a sync) rejects everything, below its match index, which makes its
  // rejections stale ones for the engine (progress.c:331) and G2: it gets empty heartbeats for
  // ever. Whoever leads next has no match index of it yet: leadership is handed over.
  bool lead_no_more_than_is_kept = true;
  // M. Ongaro's fault of single-server membership changes (raft-dev, July 2015): no change before
  // an entry of the leader's own term is committed, hence a barrier at every election.
  bool own_term_first = true;
  // B4. A sole voter takes leadership in its old term (convert.c:129), in which it may have led
  // other entries before a crash.
  bool sole_voter_takes_term = true;
  // F. There is no event for a failed disk: a leader that cannot write heartbeats for ever.
  bool give_up_broken_disk = true;
  // R. There is no ReadIndex: a deposed leader does not know that it is. Ask a majority first.
  bool probe_before_read = true;

  // No guard: off, the engine is started with all entries, as it wants it (libraft_start.cc). The
  // yardstick of start_test.cc.
  bool start_without_entries = true;
};

// NewRaftCore with some guards off. For tests.
std::unique_ptr<RaftCore> NewLibraftCore(const CoreOptions& options, const Guards& guards);

}  // namespace cairn::consensus
