// Compression of a records section as a whole: lz4 (frame format) and zstd.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "log/batch.h"

namespace cairn::log {

// Compresses `data`. kNone copies. Errors: UNIMPLEMENTED for gzip and snappy. Any thread.
absl::StatusOr<std::string> Compress(Codec codec, std::string_view data);

// The inverse. Stops at `limit_bytes` of output, whatever the compressed bytes claim.
// Errors: DATA_LOSS when the bytes are not of that codec; RESOURCE_EXHAUSTED beyond the limit;
// UNIMPLEMENTED for gzip and snappy.
absl::StatusOr<std::string> Decompress(Codec codec, std::string_view data, uint64_t limit_bytes);

// "none", "gzip", "snappy", "lz4", "zstd"; "codec-N" for a number outside the list.
std::string CodecName(Codec codec);
// The inverse, for the codecs that can be used. Errors: INVALID_ARGUMENT listing the names.
absl::StatusOr<Codec> ParseCodec(std::string_view name);

// Compresses batch.records in place and sets the codec; leaves the batch as it is when it would
// grow.
absl::Status CompressBatch(struct Batch& batch, Codec codec);

}  // namespace cairn::log
