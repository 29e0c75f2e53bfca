#include "client/pending_batch.h"

#include "base/crc32c.h"
#include "base/trace_context.h"
#include "log/compression.h"
#include "log/v1/log.pb.h"

namespace cairn::client {

PendingBatch::PendingBatch(uint64_t number, SteadyTime opened, size_t reserve_bytes)
    : number_(number), opened_(opened) {
  builder_.Reserve(reserve_bytes);
}

PendingBatch::~PendingBatch() = default;

void PendingBatch::Add(const Record& record, int64_t timestamp_ms, DeliveryCallback done) {
  if (record.headers.empty()) [[likely]] {
    builder_.Add(record.key, record.value, timestamp_ms);
  } else {
    with_headers_.key = record.key;
    with_headers_.value = record.value;
    with_headers_.timestamp_ms = timestamp_ms;
    with_headers_.headers.clear();
    for (const Header& header : record.headers) {
      with_headers_.headers.push_back({.name = header.name, .value = header.value});
    }
    builder_.Add(with_headers_);
  }
  if (!record.traceparent.empty() && traceparent_.empty() &&
      base::ParseTraceparent(record.traceparent)) {
    traceparent_ = record.traceparent;
  }
  if (done) callbacks_.emplace_back(record_count_, std::move(done));
  ++record_count_;
}

void PendingBatch::BuildRequest(const std::string& topic, int32_t partition, Codec codec,
                                const std::optional<ProducerIdentity>& identity) {
  if (request_ == nullptr) {
    log::Batch batch = builder_.Take();
    // A batch that cannot be compressed is sent as it is: correct, only larger.
    if (codec != Codec::kNone)
      log::CompressBatch(batch, static_cast<log::Codec>(codec)).IgnoreError();
    request_ = std::make_unique<logapi::v1::ProduceRequest>();
    request_->set_topic(topic);
    request_->set_partition(partition);
    request_->set_errors_in_band(true);
    request_->set_traceparent(traceparent_);
    logapi::v1::RecordBatch& to = *request_->mutable_batch();
    to.set_records_crc(base::Crc32c(batch.records));
    to.set_records(std::move(batch.records));
    to.set_record_count(batch.record_count);
    to.set_codec(static_cast<logapi::v1::Codec>(batch.codec));
    to.set_base_timestamp_ms(batch.base_timestamp_ms);
    to.set_max_timestamp_ms(batch.max_timestamp_ms);
  }
  if (identity) {
    logapi::v1::Producer& producer = *request_->mutable_producer();
    producer.set_id(identity->id);
    producer.set_epoch(identity->epoch);
    producer.set_base_sequence(base_sequence);
  }
}

void PendingBatch::Deliver(const BatchCallback& on_batch, int32_t partition) {
  if (on_batch) {
    const auto latency = std::chrono::steady_clock::now() - opened_;
    on_batch(
        {.status = outcome,
         .partition = partition,
         .base_offset = base_offset,
         .record_count = record_count_,
         .latency_us = std::chrono::duration_cast<std::chrono::microseconds>(latency).count()});
  }
  for (auto& [place, done] : callbacks_) {
    if (outcome.ok()) {
      done(Delivery{.partition = partition, .offset = base_offset + place});
    } else {
      done(outcome);
    }
  }
  callbacks_.clear();
}

}  // namespace cairn::client
