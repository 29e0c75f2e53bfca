// Log: the segmented log of one partition: append, sync, read, truncate, delete.
//
// Sits between a partition's replica, which decides what is appended and committed, and the
// Segments. It is at once Raft's log store and the partition's data: there is no second copy.
//
// Threads: the writer functions belong to one thread at a time (the shard's disk executor); the
// reader functions may run on any thread beside it. Readers must ask only for what is committed:
// committed entries are never truncated.
//
// Durability: Write is not durable until Sync (or SyncLogs) has returned OK. Everything else is
// durable on return. After a failed sync the log is failed(): every writer call fails until it is
// opened again.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/types.h"
#include "base/uuid.h"
#include "env/clock.h"
#include "env/file_system.h"
#include "log/damage.h"
#include "log/entry.h"
#include "log/log_start.h"
#include "log/segment.h"
#include "log/segment_repair.h"
#include "log/tail_cache.h"

namespace cairn::log {

struct LogOptions {
  std::string directory;
  base::Uuid topic_id;
  PartitionId partition;
  uint64_t segment_bytes = 256 << 20;  // up to kMaxSegmentBytes
  int64_t segment_ms = INT64_MAX;      // roll when the segment is older, by the wall clock
  // nullptr: no cache. Shared because a reader may keep a log longer than the node keeps its cache.
  std::shared_ptr<TailCache> tail_cache;
};

// A store file with its header and a few entries.
inline constexpr uint64_t kMinSegmentBytes = 4 << 10;
inline constexpr uint64_t kMaxSegmentBytes = 2ull << 30;  // positions are 32 bits wide

struct RetentionPolicy {
  int64_t bytes = -1;  // of all segments together; -1 keeps all
  int64_t ms = -1;     // by record timestamp; -1 keeps all
};

// One run of entries of one term.
struct TermStart {
  Term term;
  Index first_index;
  Offset first_offset;
};

class Log {
 public:
  // Creates an empty log in `options.directory`, which exists and is empty; the first entry gets
  // `start.index` and `start.offset`. Errors: those of the file system; INVALID_ARGUMENT for bad
  // options.
  static absl::Status Create(env::FileSystem& fs, env::Clock& clock, const LogOptions& options,
                             LogStart start = {});

  // Opens and recovers a log; what it holds then is durable. Damage does not keep it from opening:
  // it is listed in `report` and met by the reads it concerns. Errors: NOT_FOUND when the directory
  // holds no log; DATA_LOSS when the log's end is missing (its length is then unknown) or its start
  // file is damaged; FAILED_PRECONDITION, UNIMPLEMENTED as Segment::Open.
  static absl::StatusOr<std::unique_ptr<Log>> Open(env::FileSystem& fs, env::Clock& clock,
                                                   const LogOptions& options,
                                                   RecoveryReport& report);

  // Without Close: as after a crash.
  ~Log();

  // ---- writer ----

  // Appends entries; indexes, offsets and terms continue the log (checked). All or none.
  // Errors: RESOURCE_EXHAUSTED when the disk is full (the log is unchanged and stays usable);
  // others, after which failed() tells whether the log must be opened again.
  absl::Status Write(std::span<const Entry> entries);

  // Makes everything written durable. Also see SyncLogs.
  absl::Status Sync();

  // Removes the entries with index >= `from` (Raft: a suffix that conflicts with the leader's).
  // Errors: OUT_OF_RANGE when `from` is before the first entry.
  absl::Status TruncateSuffix(Index from);

  // Moves the start to `offset` (at most end_offset()) and removes the segments wholly before it,
  // also those that an earlier call could not remove. After an error of the removal the start has
  // moved, and the log stays usable.
  absl::Status DeletePrefix(Offset offset);

  // Deletes the oldest segments that the policy lets go: never the last one, never beyond `limit`.
  // Rolls the last segment first when it is older than segment_ms, so that idle logs age too.
  absl::Status ApplyRetention(const RetentionPolicy& policy, Offset limit);

  // Drops everything; the next entry gets start.index and start.offset. start.generation is
  // ignored.
  absl::Status Reset(LogStart start);

  // Syncs and leaves the marks that let the next Open trust the files. Only the destructor may
  // follow.
  absl::Status Close();

  // ---- repair; writer ----
  //
  // PrepareRepair, then a SegmentRepair of what it names on any thread, then AdoptRepair; again
  // until nothing is damaged.

  // The first damaged segment, sealed when it was the last one; nullopt when none is. Errors:
  // UNIMPLEMENTED for damage that no segment holds (the first files are missing); those of the file
  // system.
  absl::StatusOr<std::optional<RepairTarget>> PrepareRepair();

  // Puts the segments of a repair that is finished in the place of the damaged one, durably: a
  // crash leaves one or the other. Errors: ABORTED when the log changed meanwhile (prepare again);
  // those of the file system, after which the damaged one is still in use.
  absl::Status AdoptRepair(const SegmentRepair& repair);

  void SetLimits(uint64_t segment_bytes, int64_t segment_ms);

  bool failed() const { return failed_; }

  // ---- any thread ----

  Offset start_offset() const { return Offset(start_offset_.load(std::memory_order_acquire)); }
  Offset end_offset() const { return Offset(end_offset_.load(std::memory_order_acquire)); }
  Index first_index() const { return Index(first_index_.load(std::memory_order_acquire)); }
  Index end_index() const { return Index(end_index_.load(std::memory_order_acquire)); }
  Term last_term() const;
  uint64_t size_bytes() const;  // of the store files
  size_t segment_count() const;
  // What is known to be lost: found at the opening or by a read since, not repaired yet.
  std::vector<Damage> damages() const;
  bool damaged() const { return damaged_.load(std::memory_order_acquire); }

  // Batches from the one that holds `from` on, below `limit`, about max_bytes of them and at least
  // one; none when from == limit. From the tail cache when it has them, otherwise from the store
  // files. Blocking. Errors: OUT_OF_RANGE with log_start when from < start_offset(); DATA_LOSS
  // (DamageError).
  absl::StatusOr<std::vector<Entry>> Read(Offset from, Offset limit, size_t max_bytes) const;

  // Entries of every kind with indexes [from, limit), about max_bytes of them and at least one.
  // From the tail cache or the store files, as Read. Blocking. Errors: as Read.
  absl::StatusOr<std::vector<Entry>> ReadByIndex(Index from, Index limit, size_t max_bytes) const;

  // The same without touching the disk: nullopt when the tail cache does not have the first of
  // them.
  std::optional<std::vector<Entry>> ReadCachedByIndex(Index from, Index limit,
                                                      size_t max_bytes) const;

  // First offset in [start_offset(), limit) whose record has a timestamp >= timestamp_ms; `limit`
  // when there is none. Blocking. Errors: as Read; DATA_LOSS also when the record may be among lost
  // ones.
  absl::StatusOr<Offset> OffsetForTimestamp(int64_t timestamp_ms, Offset limit) const;

  // Where the first entry stands, and the term of the one that stood before it. What a snapshot
  // tells of a log: everything before is gone.
  LogStart first() const;

  // The term of the entry. Errors: OUT_OF_RANGE outside [first_index(), end_index()); DATA_LOSS.
  absl::StatusOr<Term> TermAt(Index index) const;

  // The runs of entries by term, first to last. Reads two entries of each segment and a few for
  // every change of term. Blocking. Errors: DATA_LOSS.
  absl::StatusOr<std::vector<TermStart>> Terms() const;

  const LogOptions& options() const { return options_; }

 private:
  friend void SyncLogs(env::FileSystem& fs, std::span<Log* const> logs,
                       std::span<absl::Status> results);

  using Segments = std::vector<std::shared_ptr<Segment>>;

  Log(env::FileSystem& fs, env::Clock& clock, const LogOptions& options);

  absl::Status OpenSegments(RecoveryReport& report);
  absl::StatusOr<bool> IsTornRoll(Offset before, Offset base, bool is_last) const;
  absl::Status RemoveTornRolls(std::vector<Offset>& bases, RecoveryReport& report);
  absl::StatusOr<Segments> LoadSegments(std::vector<Offset> bases, RecoveryReport& report);
  absl::Status RemoveLeftovers(std::vector<Offset>& bases, RecoveryReport& report);
  absl::Status CheckEnds(RecoveryReport& report);
  absl::Status RemoveOrphanIndexes(const std::vector<env::DirectoryEntry>& names);
  absl::Status RemoveSegmentFiles(Offset base);
  absl::Status RemoveVictims();
  absl::Status AppendSegment(Offset base_offset, Index base_index, Term base_term);
  absl::Status Roll();
  bool NeedsRoll(uint64_t more_bytes) const;
  absl::Status WriteRuns(std::span<const Entry> entries);
  absl::Status Rollback(Index from);
  void PublishBounds();
  StoreHeader HeaderFor(Offset base_offset, Index base_index, Term base_term) const;

  // OffsetForTimestamp among the records that can be read.
  absl::StatusOr<Offset> FirstReadableAt(int64_t timestamp_ms, Offset limit) const;

  // A read met damage in `segment`.
  void NoteDamage(const Segment& segment, const Damage& damage) const;
  // Forgets damages of files that are no part of the log any more, and what lies outside of it.
  void ForgetOldDamages();
  absl::Status MoveIn(const std::string& from, const Segment& made);

  absl::StatusOr<TermStart> TermStartAt(Index index) const;
  absl::Status AddTermsBetween(const TermStart& low, const TermStart& high,
                               std::vector<TermStart>& terms) const;

  Segments segments() const;
  void SetSegments(Segments segments);
  // The last segment whose base is at or before, or -1.
  static int FindOffset(const Segments& segments, Offset offset);
  static int FindIndex(const Segments& segments, Index index);

  env::FileSystem& fs_;
  env::Clock& clock_;
  LogOptions options_;
  LogStart start_;
  std::shared_ptr<Segment> active_;
  std::atomic<bool> failed_{false};
  bool closed_ = false;
  bool start_unsure_ = false;    // a write of it failed: which one is durable is not known
  std::vector<Offset> victims_;  // bases of segments that are out of the log, and to be removed
  TailCache::LogId cache_id_ = 0;

  std::atomic<uint64_t> start_offset_{0};
  std::atomic<uint64_t> end_offset_{0};
  std::atomic<uint64_t> first_index_{0};
  std::atomic<uint64_t> end_index_{0};

  mutable base::Mutex mutex_;
  Segments segments_ CAIRN_GUARDED_BY(mutex_);  // shared because readers outlive deletion
  mutable std::vector<Damage> damages_ CAIRN_GUARDED_BY(mutex_);  // readers add to it
  mutable std::atomic<bool> damaged_{false};                      // there are some
};

// Syncs several logs at once: one FileSystem::SyncAll over their files. results[i] is the outcome
// of logs[i]. Each log is in its writer's hands. Blocking.
void SyncLogs(env::FileSystem& fs, std::span<Log* const> logs, std::span<absl::Status> results);

}  // namespace cairn::log
