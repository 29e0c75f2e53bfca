#include "cluster/entries_codec.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/bytes.h"
#include "base/status_macros.h"
#include "base/strings.h"

namespace cairn::cluster {
namespace {

constexpr log::HeaderSeed kNoPlace = 0;
constexpr size_t kRequestBytes = 8 + 8 + 8 + 4;
constexpr size_t kResponseBytes = 8 + 8 + 4 + 8 + 4 + 4;

template <typename T>
T Get(std::string_view& from) {
  const T value = base::LoadLittleEndian<T>(from.data());
  from.remove_prefix(sizeof(T));
  return value;
}

absl::Status MalformedEntries(std::string_view what) {
  return absl::InvalidArgumentError(base::StrCat("entries between replicas: ", what));
}

}  // namespace

std::string Encode(const EntriesRequest& request) {
  std::string bytes;
  base::AppendLittleEndian<uint64_t>(bytes, request.group.value());
  base::AppendLittleEndian<uint64_t>(bytes, request.from.value());
  base::AppendLittleEndian<uint64_t>(bytes, request.limit.value());
  base::AppendLittleEndian<uint32_t>(bytes, request.max_bytes);
  return bytes;
}

absl::StatusOr<EntriesRequest> DecodeEntriesRequest(std::string_view bytes) {
  if (bytes.size() != kRequestBytes) return MalformedEntries("a request of a wrong size");
  EntriesRequest request;
  request.group = GroupId(Get<uint64_t>(bytes));
  request.from = Index(Get<uint64_t>(bytes));
  request.limit = Index(Get<uint64_t>(bytes));
  request.max_bytes = Get<uint32_t>(bytes);
  if (request.from.value() == 0 || request.limit <= request.from ||
      request.max_bytes > kFetchBytes) {
    return MalformedEntries("a request for nothing, or too much");
  }
  return request;
}

std::string Encode(const EntriesResponse& response) {
  std::string bytes;
  size_t size = kResponseBytes;
  for (const log::Entry& entry : response.entries) size += entry.size_bytes();
  bytes.reserve(size);
  base::AppendLittleEndian<uint64_t>(bytes, response.first.index.value());
  base::AppendLittleEndian<uint64_t>(bytes, response.first.offset.value());
  base::AppendLittleEndian<int32_t>(bytes, response.first.term.value());
  base::AppendLittleEndian<uint64_t>(bytes, response.start_offset.value());
  base::AppendLittleEndian<int32_t>(bytes, response.term_before.value());
  base::AppendLittleEndian<uint32_t>(bytes, static_cast<uint32_t>(response.entries.size()));
  for (const log::Entry& entry : response.entries) {
    char header[log::kEntryHeaderBytes];
    log::EncodeEntryHeader(entry.header, kNoPlace, header);
    bytes.append(header, sizeof(header));
    bytes.append(entry.body());
  }
  if (response.entries.empty()) bytes.append(response.state);
  return bytes;
}

absl::StatusOr<EntriesResponse> DecodeEntriesResponse(std::string bytes) {
  const auto buffer = std::make_shared<const std::string>(std::move(bytes));
  std::string_view rest = *buffer;
  if (rest.size() < kResponseBytes) return MalformedEntries("a response that ends early");
  EntriesResponse response;
  response.first.index = Index(Get<uint64_t>(rest));
  response.first.offset = Offset(Get<uint64_t>(rest));
  response.first.term = Term(Get<int32_t>(rest));
  response.start_offset = Offset(Get<uint64_t>(rest));
  response.term_before = Term(Get<int32_t>(rest));
  const auto count = Get<uint32_t>(rest);
  if (count == 0) {
    response.state = rest;
    return response;
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (rest.size() < log::kEntryHeaderBytes) return MalformedEntries("a response that ends early");
    log::Entry entry;
    CAIRN_ASSIGN_OR_RETURN(entry.header, log::DecodeEntryHeader(rest, kNoPlace));
    rest.remove_prefix(log::kEntryHeaderBytes);
    if (rest.size() < entry.header.body_bytes) return MalformedEntries("a body that ends early");
    entry.buffer = buffer;
    entry.body_position = buffer->size() - rest.size();
    rest.remove_prefix(entry.header.body_bytes);
    response.entries.push_back(std::move(entry));
  }
  if (!rest.empty()) return MalformedEntries("a response that goes on behind its entries");
  return response;
}

absl::StatusOr<EntriesResponse> AnswerEntries(const log::Log& log, Index committed,
                                              const EntriesRequest& request) {
  EntriesResponse response;
  response.first = log.first();
  response.start_offset = log.start_offset();
  if (request.from < response.first.index) return response;
  if (request.from > committed) {
    return absl::UnavailableError(base::StrCat("index ", request.from.value(),
                                               " is not known to be committed here; entries up to ",
                                               committed.value(), " are"));
  }
  const Index limit = std::min({request.limit, committed + 1, log.end_index()});
  CAIRN_ASSIGN_OR_RETURN(response.entries, log.ReadByIndex(request.from, limit, request.max_bytes));
  response.term_before = response.first.term;
  if (request.from > response.first.index) {
    CAIRN_ASSIGN_OR_RETURN(response.term_before, log.TermAt(request.from - 1));
  }
  return response;
}

}  // namespace cairn::cluster
