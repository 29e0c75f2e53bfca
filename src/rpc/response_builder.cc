#include "rpc/response_builder.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error_info.h"

namespace cairn::rpc {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;
using logapi::v1::ConsumeResponse;
using logapi::v1::RecordBatch;

// The tag and length of a field of wire type "length-delimited" (protobuf encoding, "Message
// Structure").
void AppendLengthDelimitedTag(int field, size_t length, std::string& to) {
  uint8_t bytes[2 * 5];
  uint8_t* end = CodedOutputStream::WriteVarint32ToArray(
      WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED), bytes);
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(length), end);
  to.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

grpc::Slice CopiedSlice(const std::string& bytes) { return {bytes.data(), bytes.size()}; }

// A slice over the entry's body that keeps the bytes alive.
grpc::Slice BodySlice(const log::Entry& entry) {
  const std::string_view body = entry.body();
  auto* owner = new std::shared_ptr<const std::string>(entry.buffer);
  // gRPC takes a mutable pointer for any slice but never writes through that of a message it sends.
  return {
      const_cast<char*>(body.data()), body.size(),
      [](void* user_data) { delete static_cast<std::shared_ptr<const std::string>*>(user_data); },
      owner};
}

// Every field of the batch but `records`.
void FillBatch(const log::EntryHeader& header, RecordBatch& batch) {
  batch.set_record_count(header.record_count);
  batch.set_codec(static_cast<logapi::v1::Codec>(header.codec()));
  batch.set_base_timestamp_ms(header.base_timestamp_ms);
  batch.set_max_timestamp_ms(header.max_timestamp_ms);
  batch.set_base_offset(header.base_offset.value());
  batch.set_records_crc(header.body_crc);
}

grpc::ByteBuffer Serialize(const ConsumeResponse& response) {
  grpc::ByteBuffer buffer;
  bool own_buffer = false;
  // Cannot fail: the message is complete and below 2 GiB.
  (void)grpc::SerializationTraits<ConsumeResponse>::Serialize(response, &buffer, &own_buffer);
  return buffer;
}

}  // namespace

ResponseBuilder::ResponseBuilder(ConsumeMode mode, size_t max_records, size_t max_bytes,
                                 Offset position, std::optional<Offset> end)
    : mode_(mode),
      max_records_(max_records),
      max_bytes_(max_bytes),
      position_(position),
      end_(end) {}

void ResponseBuilder::Add(broker::FetchResult fetched) {
  log_start_ = fetched.log_start;
  high_watermark_ = fetched.high_watermark;
  for (log::Entry& entry : fetched.entries) {
    if (entry.header.end_offset() <= position_) continue;
    if (end_.has_value() && entry.header.base_offset >= *end_) break;
    entries_.push_back(std::move(entry));
  }
}

absl::Status ResponseBuilder::Build(std::deque<grpc::ByteBuffer>& out, size_t max_responses) {
  if (mode_ == ConsumeMode::kBatches) {
    if (!entries_.empty()) BuildBatches(out);
    return absl::OkStatus();
  }
  const size_t stop_at = out.size() + std::min(max_responses, out.max_size() - out.size());
  size_t built_bytes = 0;
  while (!entries_.empty() && built_bytes < max_bytes_ && out.size() < stop_at) {
    const log::Entry entry = std::move(entries_.front());
    entries_.pop_front();
    if (absl::Status status = BuildRecords(entry, out, stop_at, built_bytes); !status.ok())
      return status;
    position_ = entry.header.end_offset();
  }
  if (response_bytes_ > 0 && out.size() < stop_at) Flush(out);
  return absl::OkStatus();
}

uint64_t ResponseBuilder::CountConsumed(broker::Partition& partition) {
  const uint64_t records = std::exchange(counted_records_, 0);
  partition.CountConsumed(records, std::exchange(counted_bytes_, 0));
  return records;
}

grpc::ByteBuffer ResponseBuilder::EmptyResponse() {
  response_.Clear();
  SetPositions();
  return Serialize(response_);
}

void ResponseBuilder::BuildBatches(std::deque<grpc::ByteBuffer>& out) {
  std::vector<grpc::Slice> slices;
  std::string glue;  // what stands between two bodies
  RecordBatch meta;
  size_t bytes = 0;
  while (!entries_.empty() && bytes < max_bytes_) {
    const log::Entry& entry = entries_.front();
    const size_t body_bytes = entry.body().size();
    if (bytes > 0 && bytes + body_bytes > max_bytes_) break;
    FillBatch(entry.header, meta);
    std::string batch = meta.SerializeAsString();
    AppendLengthDelimitedTag(RecordBatch::kRecordsFieldNumber, body_bytes, batch);
    AppendLengthDelimitedTag(ConsumeResponse::kBatchesFieldNumber, batch.size() + body_bytes, glue);
    glue += batch;
    slices.push_back(CopiedSlice(glue));
    slices.push_back(BodySlice(entry));
    glue.clear();
    bytes += body_bytes + log::kEntryHeaderBytes;
    counted_records_ += entry.header.record_count;
    counted_bytes_ += body_bytes;
    position_ = entry.header.end_offset();
    entries_.pop_front();
  }
  response_.Clear();
  SetPositions();
  slices.push_back(CopiedSlice(response_.SerializeAsString()));
  out.emplace_back(slices.data(), slices.size());
}

absl::Status ResponseBuilder::BuildRecords(const log::Entry& entry,
                                           std::deque<grpc::ByteBuffer>& out, size_t stop_at,
                                           size_t& built_bytes) {
  auto records = log::UncompressedRecords(entry, scratch_);
  if (!records.ok()) return records.status();
  log::RecordsReader reader(*records, entry.header.base_timestamp_ms);
  for (Offset offset = entry.header.base_offset;; ++offset) {
    auto more = reader.Next(record_);
    if (!more.ok()) return more.status();
    if (!*more || out.size() >= stop_at || (end_.has_value() && offset >= *end_)) break;
    if (offset < position_) continue;
    logapi::v1::Record* to =
        mode_ == ConsumeMode::kRecords ? response_.add_records() : response_.mutable_record();
    size_t bytes = 0;
    if (record_.value.has_value()) to->set_value(record_.value->data(), record_.value->size());
    bytes += to->value().size();
    if (record_.key.has_value()) to->set_key(record_.key->data(), record_.key->size());
    bytes += to->key().size();
    for (const log::HeaderView& header : record_.headers) {
      logapi::v1::Header* copy = to->add_headers();
      copy->set_name(header.name.data(), header.name.size());
      if (header.value.has_value()) copy->set_value(header.value->data(), header.value->size());
      bytes += header.name.size() + copy->value().size();
    }
    ++counted_records_;
    counted_bytes_ += bytes;
    to->set_offset(offset.value());
    to->set_timestamp_ms(record_.timestamp_ms);
    constexpr size_t kRecordOverheadBytes = 24;  // tags, lengths, offset and timestamp, about
    bytes += kRecordOverheadBytes;
    response_bytes_ += bytes;
    built_bytes += bytes;
    if (mode_ == ConsumeMode::kSingleRecord ||
        static_cast<size_t>(response_.records_size()) >= max_records_ ||
        response_bytes_ >= max_bytes_) {
      Flush(out);
    }
  }
  return absl::OkStatus();
}

void ResponseBuilder::Flush(std::deque<grpc::ByteBuffer>& out) {
  SetPositions();
  out.push_back(Serialize(response_));
  response_.Clear();
  response_bytes_ = 0;
}

void ResponseBuilder::SetPositions() {
  response_.set_high_watermark(high_watermark_.value());
  response_.set_log_start(log_start_.value());
}

}  // namespace cairn::rpc
