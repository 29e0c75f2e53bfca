#include "rpc/produce_codec.h"

#include <limits>
#include <string>
#include <utility>

#include "base/crc32c.h"
#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "broker/topic.h"
#include "log/compression.h"
#include "log/records.h"

namespace cairn::rpc {
namespace {

using logapi::v1::ProduceRequest;

absl::Status Malformed(std::string_view message) {
  return base::MakeError(absl::StatusCode::kInvalidArgument, message,
                         base::reason::kMalformedBatch);
}

absl::StatusOr<log::Codec> ReadCodec(logapi::v1::Codec codec) {
  switch (codec) {
    case logapi::v1::CODEC_UNSPECIFIED:
      return log::Codec::kNone;
    case logapi::v1::CODEC_LZ4:
      return log::Codec::kLz4;
    case logapi::v1::CODEC_ZSTD:
      return log::Codec::kZstd;
    default:
      return Malformed(base::StrCat("codec ", static_cast<int>(codec),
                                    " is not known; use 0 (none), 3 (lz4) or 4 (zstd)"));
  }
}

int64_t TimestampOr(const logapi::v1::Record& record, int64_t now_ms) {
  return record.timestamp_ms() != 0 ? record.timestamp_ms() : now_ms;
}

void AddRecord(const logapi::v1::Record& record, int64_t now_ms, log::RecordView& scratch,
               log::BatchBuilder& builder) {
  std::optional<std::string_view> key;
  if (record.has_key()) key = record.key();
  const int64_t timestamp_ms = TimestampOr(record, now_ms);
  if (record.headers().empty()) return builder.Add(key, record.value(), timestamp_ms);
  scratch.key = key;
  scratch.value = record.value();
  scratch.timestamp_ms = timestamp_ms;
  scratch.headers.clear();
  for (const logapi::v1::Header& header : record.headers()) {
    std::optional<std::string_view> value;
    if (header.has_value()) value = header.value();
    scratch.headers.push_back({.name = header.name(), .value = value});
  }
  builder.Add(scratch);
}

log::Batch BuildBatch(const ProduceRequest& request, int64_t now_ms) {
  log::BatchBuilder builder;
  log::RecordView scratch;
  if (request.has_record()) {
    const logapi::v1::Record& record = request.record();
    builder.Reserve(log::MaxEncodedRecordSize(record.key().size(), record.value().size()));
    AddRecord(record, now_ms, scratch, builder);
  } else {
    size_t bytes = 0;
    for (const logapi::v1::Record& record : request.records()) {
      bytes += log::MaxEncodedRecordSize(record.key().size(), record.value().size());
    }
    builder.Reserve(bytes);
    for (const logapi::v1::Record& record : request.records()) {
      AddRecord(record, now_ms, scratch, builder);
    }
  }
  return builder.Take();
}

absl::StatusOr<log::Batch> TakeReadyBatch(ProduceRequest& request) {
  if (request.codec() != logapi::v1::CODEC_UNSPECIFIED) {
    return Malformed(
        "`codec` compresses `record` or `records`; a `batch` says its own codec in batch.codec");
  }
  logapi::v1::RecordBatch& from = *request.mutable_batch();
  if (from.records_crc() != 0) {
    const uint32_t found = base::Crc32c(from.records());
    if (found != from.records_crc()) {
      return base::MakeError(
          absl::StatusCode::kInvalidArgument,
          base::StrCat("the records of the batch have CRC32C ", found, ", the request says ",
                       from.records_crc()),
          base::reason::kMalformedBatch,
          {{"expected", base::StrCat(from.records_crc())}, {"found", base::StrCat(found)}});
    }
  }
  log::Batch batch;
  CAIRN_ASSIGN_OR_RETURN(batch.codec, ReadCodec(from.codec()));
  batch.records = std::move(*from.mutable_records());
  batch.record_count = from.record_count();
  batch.base_timestamp_ms = from.base_timestamp_ms();
  batch.max_timestamp_ms = from.max_timestamp_ms();
  return batch;
}

absl::Status ReadProducer(const logapi::v1::Producer& producer, log::Batch& batch) {
  if (producer.id() < 0 || producer.base_sequence() < 0 || producer.epoch() < 0 ||
      producer.epoch() > std::numeric_limits<int16_t>::max()) {
    return Malformed(base::StrCat("producer id ", producer.id(), ", epoch ", producer.epoch(),
                                  ", base_sequence ", producer.base_sequence(),
                                  ": none may be negative, and the epoch at most 32767"));
  }
  batch.producer_id = producer.id();
  batch.producer_epoch = static_cast<int16_t>(producer.epoch());
  batch.base_sequence = producer.base_sequence();
  return absl::OkStatus();
}

}  // namespace

std::string_view TopicName(std::string_view topic) {
  return topic.empty() ? broker::kDefaultTopic : topic;
}

absl::StatusOr<ProduceInput> ReadProduceRequest(ProduceRequest& request, int64_t now_ms) {
  const int forms = (request.has_record() ? 1 : 0) + (request.records().empty() ? 0 : 1) +
                    (request.has_batch() ? 1 : 0);
  if (forms == 0) {
    return base::MakeError(absl::StatusCode::kInvalidArgument,
                           "nothing to append: set one of `record`, `records` and `batch`",
                           base::reason::kEmptyBatch);
  }
  if (forms > 1) return Malformed("set only one of `record`, `records` and `batch`");

  ProduceInput input;
  if (request.has_batch()) {
    CAIRN_ASSIGN_OR_RETURN(input.batch, TakeReadyBatch(request));
  } else {
    CAIRN_ASSIGN_OR_RETURN(const log::Codec codec, ReadCodec(request.codec()));
    input.batch = BuildBatch(request, now_ms);
    if (codec != log::Codec::kNone) CAIRN_RETURN_IF_ERROR(log::CompressBatch(input.batch, codec));
  }
  if (request.has_producer()) CAIRN_RETURN_IF_ERROR(ReadProducer(request.producer(), input.batch));
  if (request.has_expected_offset()) input.expected_offset = Offset(request.expected_offset());
  return input;
}

void WriteProduceResponse(const broker::ProduceResult& result,
                          logapi::v1::ProduceResponse& response) {
  response.set_offset(result.base_offset.value());
  response.set_timestamp_ms(result.timestamp_ms);
  response.set_duplicate(result.duplicate);
}

}  // namespace cairn::rpc
