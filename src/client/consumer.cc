#include "cairn/consumer.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "cairn/admin.h"
#include "client/fetch_thread.h"
#include "log/compression.h"
#include "log/records.h"
#include "log/v1/log.pb.h"

namespace cairn {
namespace {

using client::FetchThread;
using logapi::v1::RecordBatch;

// What a compressed batch may become: as the broker's own limit for a body.
constexpr uint64_t kMaxUncompressedBytes = 64 << 20;

absl::Status Damaged(std::string_view what, const ConsumerOptions& options, uint64_t offset) {
  return base::MakeError(absl::StatusCode::kDataLoss,
                         base::StrCat(what, " in topic '", options.topic, "', partition ",
                                      options.partition, ", at offset ", offset),
                         base::reason::kDamagedLog, {{"offset", base::StrCat(offset)}});
}

}  // namespace

class Consumer::Impl {
 public:
  Impl(std::shared_ptr<Client> client, ConsumerOptions options, client::LogRange end)
      : options_(options), fetch_(std::move(client), std::move(options), std::move(end)) {
    if (options_.start.kind == StartAt::Kind::kOffset) {
      position_ = static_cast<uint64_t>(options_.start.value);
      has_position_ = true;
    }
  }

  Result Next(ConsumedRecord& record, int64_t timeout_ms) {
    while (true) {
      if (reader_) {
        if (ReadRecord(record)) return Result::kRecord;
        if (!status_.ok()) return Result::kError;
      }
      if (response_ != nullptr && next_batch_ < response_->batches_size()) {
        status_ = OpenBatch(response_->batches(next_batch_++));
        if (!status_.ok()) return Result::kError;
        continue;
      }
      if (!status_.ok()) return Result::kError;
      if (response_ != nullptr) fetch_.Recycle(std::move(response_));
      response_ = nullptr;
      switch (fetch_.Take(response_, timeout_ms)) {
        case FetchThread::Outcome::kTimeout:
          return Result::kTimeout;
        case FetchThread::Outcome::kOver:
          status_ = fetch_.status();
          return status_.ok() ? Result::kEnd : Result::kError;
        case FetchThread::Outcome::kResponse:
          next_batch_ = 0;
          high_watermark_ = response_->high_watermark();
      }
    }
  }

  bool ready() const {
    return reader_ || (response_ != nullptr && next_batch_ < response_->batches_size()) ||
           fetch_.ready();
  }
  uint64_t position() const { return position_; }
  uint64_t high_watermark() const { return high_watermark_; }
  const absl::Status& status() const { return status_; }
  void Cancel() { fetch_.Cancel(); }

 private:
  // Checks a batch and begins to read it; leaves reader_ empty when all of it was read before.
  absl::Status OpenBatch(const RecordBatch& batch) {
    const uint64_t end = batch.base_offset() + batch.record_count();
    if (has_position_ && end <= position_) return absl::OkStatus();
    if (has_position_ && batch.base_offset() > position_) {
      return Damaged(base::StrCat("records are missing up to offset ", batch.base_offset()),
                     options_, position_);
    }
    if (const uint32_t found = base::Crc32c(batch.records()); found != batch.records_crc()) {
      return Damaged(base::StrCat("a batch has CRC32C ", absl::StrCat(absl::Hex(found)),
                                  " instead of ", absl::StrCat(absl::Hex(batch.records_crc()))),
                     options_, batch.base_offset());
    }
    std::string_view records = batch.records();
    if (batch.codec() != logapi::v1::CODEC_UNSPECIFIED) {
      CAIRN_ASSIGN_OR_RETURN(uncompressed_, log::Decompress(static_cast<log::Codec>(batch.codec()),
                                                            records, kMaxUncompressedBytes));
      records = uncompressed_;
    }
    reader_.emplace(records, batch.base_timestamp_ms());
    // Without an offset asked for, the first batch may only begin before the timestamp asked for.
    skip_before_ms_ = has_position_ || options_.start.kind != StartAt::Kind::kTimestamp
                          ? std::numeric_limits<int64_t>::min()
                          : options_.start.value;
    if (!has_position_) position_ = batch.base_offset();
    has_position_ = true;
    record_offset_ = batch.base_offset();
    end_offset_ = end;
    return absl::OkStatus();
  }

  // The next record of the open batch. False, with reader_ empty, at its end and on damage
  // (status_).
  bool ReadRecord(ConsumedRecord& record) {
    while (true) {
      const absl::StatusOr<bool> found = reader_->Next(view_);
      if (found.ok() && *found && record_offset_ < end_offset_) [[likely]] {
        const uint64_t offset = record_offset_++;
        // The batch may have begun before what was asked for.
        if (offset < position_ || view_.timestamp_ms < skip_before_ms_) continue;
        skip_before_ms_ = std::numeric_limits<int64_t>::min();
        record.offset = offset;
        record.timestamp_ms = view_.timestamp_ms;
        record.key = view_.key;
        record.value = view_.value;
        headers_.clear();
        for (const log::HeaderView& header : view_.headers) {
          headers_.push_back({.name = header.name, .value = header.value});
        }
        record.headers = headers_;
        position_ = offset + 1;
        return true;
      }
      reader_.reset();
      if (!found.ok()) {
        status_ = Damaged(base::StdView(found.status().message()), options_, record_offset_);
      } else if (*found || record_offset_ != end_offset_) {
        status_ =
            Damaged("a batch does not hold as many records as it says", options_, record_offset_);
      }
      return false;
    }
  }

  const ConsumerOptions options_;
  absl::Status status_;
  FetchThread::Response response_;
  int next_batch_ = 0;
  std::optional<log::RecordsReader> reader_;  // of the open batch
  std::string uncompressed_;
  log::RecordView view_;
  std::vector<Header> headers_;
  uint64_t record_offset_ = 0;  // of the record that reader_ returns next
  uint64_t end_offset_ = 0;     // of the open batch
  uint64_t position_ = 0;
  bool has_position_ = false;
  uint64_t high_watermark_ = 0;
  int64_t skip_before_ms_ = 0;
  FetchThread fetch_;
};

absl::StatusOr<std::unique_ptr<Consumer>> Consumer::Create(std::shared_ptr<Client> client,
                                                           ConsumerOptions options) {
  CAIRN_ASSIGN_OR_RETURN(const TopicInfo topic, Admin(client).DescribeTopic(options.topic));
  if (options.partition < 0 || options.partition >= topic.partition_count) {
    return base::MakeError(absl::StatusCode::kNotFound,
                           base::StrCat("topic '", options.topic, "' has partitions 0 to ",
                                        topic.partition_count - 1, ", not ", options.partition),
                           base::reason::kUnknownPartition,
                           {{"partition_count", base::StrCat(topic.partition_count)}});
  }
  // "From now on" is settled here, so that a connection lost before the first record skips nothing.
  // So is the end: other replicas may be behind the leader.
  client::LogRange range;
  if (options.start.kind == StartAt::Kind::kLatest || options.stop_at_end) {
    CAIRN_ASSIGN_OR_RETURN(range,
                           client::DescribeRange(client->impl(), topic.name, options.partition));
  }
  if (options.start.kind == StartAt::Kind::kLatest) {
    options.start = StartAt::Offset(range.high_watermark);
  }
  return std::unique_ptr<Consumer>(new Consumer(
      std::make_unique<Impl>(std::move(client), std::move(options), std::move(range))));
}

Consumer::Consumer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Consumer::~Consumer() = default;

Consumer::Result Consumer::Next(ConsumedRecord& record, int64_t timeout_ms) {
  return impl_->Next(record, timeout_ms);
}
bool Consumer::ready() const { return impl_->ready(); }
uint64_t Consumer::position() const { return impl_->position(); }
uint64_t Consumer::high_watermark() const { return impl_->high_watermark(); }
const absl::Status& Consumer::status() const { return impl_->status(); }
void Consumer::Cancel() { impl_->Cancel(); }

}  // namespace cairn
