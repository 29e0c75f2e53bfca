// A batch as a client sends it: whatever passes ValidateBatch can be read back, record by record,
// and no bytes make it crash, overrun or allocate without bound.
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "log/compression.h"
#include "log/records.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  if (size < 3) return 0;
  log::Batch batch;
  batch.codec = static_cast<log::Codec>(data[0] % 6);
  batch.record_count = data[1];
  batch.base_timestamp_ms = 0;
  batch.max_timestamp_ms = static_cast<int8_t>(data[2]);
  batch.records.assign(reinterpret_cast<const char*>(data) + 3, size - 3);
  log::BatchLimits limits;
  limits.max_batch_bytes = 1 << 20;
  if (!log::ValidateBatch(batch, limits).ok()) return 0;

  const auto plain = log::Decompress(batch.codec, batch.records, limits.max_batch_bytes);
  CAIRN_CHECK(plain.ok(), "a valid batch decompresses");
  log::RecordsReader reader(*plain, batch.base_timestamp_ms);
  log::RecordView record;
  for (uint32_t i = 0; i < batch.record_count; ++i) {
    const auto more = reader.Next(record);
    CAIRN_CHECK(more.ok() && *more, "a valid batch has the records it says");
  }
  const auto end = reader.Next(record);
  CAIRN_CHECK(end.ok() && !*end, "a valid batch has no more records than it says");
  return 0;
}
