#include "consensus/peer_codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "absl/strings/str_format.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/crc32c.h"
#include "base/error_info.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "base/trace_context.h"

namespace cairn::consensus {
namespace {

// On the wire an entry stands nowhere in particular.
constexpr log::HeaderSeed kWireSeed = 0;

// Writes the fields of a control section.
class Writer {
 public:
  template <typename T>
  Writer& Put(T value) {
    char bytes[sizeof(T)];
    base::StoreLittleEndian<T>(bytes, value);
    out_.append(bytes, sizeof(T));
    return *this;
  }
  template <typename Tag, typename Rep>
  Writer& Put(base::StrongInt<Tag, Rep> value) {
    return Put<Rep>(value.value());
  }
  Writer& Put(bool value) { return Put<uint8_t>(value ? 1 : 0); }
  Writer& Put(const base::Uuid& uuid) {
    out_.append(reinterpret_cast<const char*>(uuid.bytes().data()), uuid.bytes().size());
    return *this;
  }
  // At most `limit` bytes of it, which fits 16 bits.
  Writer& PutString(std::string_view text, size_t limit) {
    text = text.substr(0, limit);
    Put<uint16_t>(static_cast<uint16_t>(text.size()));
    out_.append(text);
    return *this;
  }
  char* Extend(size_t bytes) {
    const size_t at = out_.size();
    out_.resize(at + bytes);
    return out_.data() + at;
  }
  const std::string& bytes() const { return out_; }

 private:
  std::string out_;
};

// Reads them; after the first field that is not there or not allowed, failed() holds for good.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  Reader& Take(T& value) {
    if (rest_.size() < sizeof(T)) return Fail();
    value = base::LoadLittleEndian<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return *this;
  }
  Reader& Take(Term& term) {
    int32_t value = 0;
    if (Take(value).failed_ || value < 0) return Fail();
    term = Term(value);
    return *this;
  }
  Reader& Take(NodeId& node) {
    int32_t value = 0;
    if (Take(value).failed_ || value < 0) return Fail();
    node = NodeId(value);
    return *this;
  }
  template <typename Tag>
  Reader& Take(base::StrongInt<Tag, uint64_t>& number) {
    uint64_t value = 0;
    Take(value);
    number = base::StrongInt<Tag, uint64_t>(value);
    return *this;
  }
  Reader& Take(bool& value) {
    uint8_t byte = 0;
    if (Take(byte).failed_ || byte > 1) return Fail();
    value = byte == 1;
    return *this;
  }
  Reader& Take(base::Uuid& uuid) {
    std::array<uint8_t, 16> bytes;
    if (rest_.size() < bytes.size()) return Fail();
    std::memcpy(bytes.data(), rest_.data(), bytes.size());
    rest_.remove_prefix(bytes.size());
    uuid = base::Uuid(bytes);
    return *this;
  }
  Reader& TakeString(std::string& text, size_t limit) {
    uint16_t size = 0;
    if (Take(size).failed_ || size > limit || size > rest_.size()) return Fail();
    text.assign(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return *this;
  }
  std::string_view TakeBytes(size_t size) {
    if (failed_ || size > rest_.size()) {
      Fail();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  void Require(bool condition) {
    if (!condition) Fail();
  }

  bool failed() const { return failed_; }
  size_t left() const { return rest_.size(); }

 private:
  Reader& Fail() {
    failed_ = true;
    rest_ = {};
    return *this;
  }

  std::string_view rest_;
  bool failed_ = false;
};

absl::Status Malformed(std::string_view what) {
  return absl::InvalidArgumentError(base::StrCat("malformed frame: ", what));
}

// All of `reader` was understood and the frame has no body.
absl::Status Complete(const Reader& reader, const Frame& frame, std::string_view what) {
  if (reader.failed() || reader.left() > 0 || !frame.body().empty() || frame.body_crc != 0) {
    return Malformed(what);
  }
  return absl::OkStatus();
}

absl::Status CheckBody(const Frame& frame) {
  if (const uint32_t found = base::Crc32c(frame.body()); found != frame.body_crc) {
    return absl::DataLossError(
        absl::StrFormat("frame body CRC32C: expected %08x, found %08x", frame.body_crc, found));
  }
  return absl::OkStatus();
}

std::string TakeBody(Frame& frame) {
  std::string body = std::move(*frame.buffer);
  body.erase(0, frame.body_position);
  return body;
}

void PutIdentity(const PeerIdentity& identity, Writer& writer) {
  writer.Put(identity.cluster)
      .Put(identity.node_uuid)
      .Put(identity.node)
      .PutString(identity.name, kMaxPeerNameBytes)
      .PutString(identity.address, kMaxPeerAddressBytes);
}

void TakeIdentity(Reader& reader, PeerIdentity& identity) {
  reader.Take(identity.cluster)
      .Take(identity.node_uuid)
      .Take(identity.node)
      .TakeString(identity.name, kMaxPeerNameBytes)
      .TakeString(identity.address, kMaxPeerAddressBytes);
}

// A handshake frame may say more than we understand, but in its control section only.
absl::Status HandshakeComplete(const Reader& reader, const Frame& frame, std::string_view what) {
  if (reader.failed() || !frame.body().empty() || frame.body_crc != 0 || frame.group.value() != 0) {
    return Malformed(what);
  }
  return absl::OkStatus();
}

// ---- Raft messages ----

void PutFields(const RequestVote& m, Writer& w) {
  w.Put(m.term).Put(m.last_index).Put(m.last_term).Put(m.disrupt_leader).Put(m.pre_vote);
}
void PutFields(const RequestVoteResult& m, Writer& w) {
  w.Put(m.term).Put(m.granted).Put(m.pre_vote);
}
void PutFields(const AppendEntriesResult& m, Writer& w) {
  w.Put(m.term).Put(m.rejected).Put(m.last_index).Put(m.hint);
}
void PutFields(const TimeoutNow& m, Writer& w) { w.Put(m.term).Put(m.last_index).Put(m.last_term); }
void PutFields(const Probe& m, Writer& w) { w.Put(m.term).Put(m.sequence); }
void PutFields(const ProbeResult& m, Writer& w) { w.Put(m.term).Put(m.sequence); }

void TakeFields(Reader& r, RequestVote& m) {
  r.Take(m.term).Take(m.last_index).Take(m.last_term).Take(m.disrupt_leader).Take(m.pre_vote);
}
void TakeFields(Reader& r, RequestVoteResult& m) {
  r.Take(m.term).Take(m.granted).Take(m.pre_vote);
}
void TakeFields(Reader& r, AppendEntriesResult& m) {
  r.Take(m.term).Take(m.rejected).Take(m.last_index).Take(m.hint);
}
void TakeFields(Reader& r, TimeoutNow& m) { r.Take(m.term).Take(m.last_index).Take(m.last_term); }
void TakeFields(Reader& r, Probe& m) { r.Take(m.term).Take(m.sequence); }
void TakeFields(Reader& r, ProbeResult& m) { r.Take(m.term).Take(m.sequence); }

FrameType TypeOf(const Message& message) {
  return static_cast<FrameType>(static_cast<size_t>(FrameType::kRequestVote) + message.index());
}
static_assert(std::is_same_v<std::variant_alternative_t<2, Message>, AppendEntries> &&
                  std::is_same_v<std::variant_alternative_t<7, Message>, ProbeResult> &&
                  std::variant_size_v<Message> == 8,
              "frame types follow the order of the variant");

// Which entries are traced, behind all headers: nothing when none is.
void PutTraces(const std::vector<log::Entry>& entries, Writer& writer) {
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i].trace.sampled) continue;
    writer.Put(static_cast<uint16_t>(i));
    base::EncodeTraceContext(entries[i].trace, writer.Extend(base::kTraceContextBytes));
  }
}

absl::Status TakeTraces(Reader& reader, std::vector<log::Entry>& entries) {
  size_t next = 0;
  while (reader.left() > 0) {
    uint16_t position = 0;
    const std::string_view bytes = reader.Take(position).TakeBytes(base::kTraceContextBytes);
    if (reader.failed() || position < next || position >= entries.size()) {
      return Malformed("traces of entries");
    }
    const auto context = base::DecodeTraceContext(bytes);
    if (!context || !context->sampled) return Malformed("a trace's context");
    entries[position].trace = *context;
    next = size_t{position} + 1;
  }
  return absl::OkStatus();
}

template <typename M>
absl::Status Encode(GroupId group, FrameType type, const M& message, env::SliceBuffer& to) {
  Writer writer;
  PutFields(message, writer);
  AppendFrame(type, group, writer.bytes(), 0, 0, to);
  return absl::OkStatus();
}

absl::Status Encode(GroupId group, FrameType type, const AppendEntries& message,
                    env::SliceBuffer& to) {
  size_t body_bytes = 0;
  for (const log::Entry& entry : message.entries) body_bytes += entry.header.body_bytes;
  if (message.entries.size() > kMaxEntriesPerMessage || body_bytes > kMaxMessageBodyBytes) {
    return absl::InvalidArgumentError(base::StrCat(message.entries.size(), " entries of ",
                                                   body_bytes,
                                                   " bytes are over the limit of one message"));
  }
  Writer writer;
  writer.Put(message.term)
      .Put(message.prev_term)
      .Put(message.prev_index)
      .Put(message.commit)
      .Put<uint32_t>(static_cast<uint32_t>(message.entries.size()));
  for (const log::Entry& entry : message.entries) {
    log::EntryHeader header = entry.header;
    header.durable_bytes = 0;  // speaks of a file of ours
    log::EncodeEntryHeader(header, kWireSeed, writer.Extend(log::kEntryHeaderBytes));
  }
  PutTraces(message.entries, writer);
  AppendFrame(type, group, writer.bytes(), body_bytes, 0, to);
  for (const log::Entry& entry : message.entries) {
    if (entry.header.body_bytes == 0) continue;
    to.Append(entry.buffer, entry.body_position, entry.header.body_bytes);
  }
  return absl::OkStatus();
}

absl::Status Encode(GroupId group, FrameType type, const InstallSnapshot& message,
                    env::SliceBuffer& to) {
  if (message.configuration.size() > UINT16_MAX || message.state.size() > kMaxPayloadBytes) {
    return absl::InvalidArgumentError(base::StrCat("a snapshot of ", message.configuration.size(),
                                                   " + ", message.state.size(),
                                                   " bytes is over the limit of one message"));
  }
  Writer writer;
  writer.Put(message.term)
      .Put(message.last_term)
      .Put(message.last_index)
      .Put(message.configuration_index)
      .Put(message.start_offset)
      .PutString(message.configuration, UINT16_MAX);
  AppendFrame(type, group, writer.bytes(), message.state.size(), base::Crc32c(message.state), to);
  to.Append(message.state);
  return absl::OkStatus();
}

absl::StatusOr<Message> DecodeAppendEntries(Frame& frame) {
  AppendEntries message;
  Reader reader(frame.control);
  reader.Take(message.term)
      .Take(message.prev_term)
      .Take(message.prev_index)
      .Take(message.commit)
      .Take(message.count);
  if (reader.failed() || message.count > kMaxEntriesPerMessage ||
      reader.left() < message.count * log::kEntryHeaderBytes || frame.body_crc != 0) {
    return Malformed("append entries");
  }
  message.entries.reserve(message.count);
  const std::shared_ptr<const std::string> buffer = std::move(frame.buffer);
  size_t position = frame.body_position;
  for (uint32_t i = 0; i < message.count; ++i) {
    const absl::StatusOr<log::EntryHeader> header =
        log::DecodeEntryHeader(reader.TakeBytes(log::kEntryHeaderBytes), kWireSeed);
    if (!header.ok()) return Malformed(base::StdView(header.status().message()));
    if (header->durable_bytes != 0 || header->body_bytes > buffer->size() - position) {
      return Malformed("an entry's header and its body contradict each other");
    }
    log::Entry& entry = message.entries.emplace_back();
    entry.header = *header;
    entry.buffer = buffer;
    entry.body_position = position;
    position += header->body_bytes;
    if (const uint32_t found = base::Crc32c(entry.body()); found != header->body_crc) {
      return absl::DataLossError(
          absl::StrFormat("body of entry %u CRC32C: expected %08x, found %08x",
                          header->index.value(), header->body_crc, found));
    }
  }
  if (position != buffer->size()) return Malformed("bytes behind the last entry");
  CAIRN_RETURN_IF_ERROR(TakeTraces(reader, message.entries));
  return Message(std::move(message));
}

absl::StatusOr<Message> DecodeInstallSnapshot(Frame& frame) {
  InstallSnapshot message;
  Reader reader(frame.control);
  reader.Take(message.term)
      .Take(message.last_term)
      .Take(message.last_index)
      .Take(message.configuration_index)
      .Take(message.start_offset)
      .TakeString(message.configuration, UINT16_MAX);
  if (reader.failed() || reader.left() > 0) return Malformed("install snapshot");
  CAIRN_RETURN_IF_ERROR(CheckBody(frame));
  message.state = TakeBody(frame);
  return Message(std::move(message));
}

template <typename M>
absl::StatusOr<Message> Decode(const Frame& frame) {
  M message;
  Reader reader(frame.control);
  TakeFields(reader, message);
  CAIRN_RETURN_IF_ERROR(Complete(reader, frame, "Raft message"));
  return Message(message);
}

}  // namespace

bool IsRaftMessage(FrameType type) {
  return type >= FrameType::kRequestVote && type <= FrameType::kProbeResult;
}

void EncodeHello(const Hello& hello, env::SliceBuffer& to) {
  Writer writer;
  writer.Put(hello.version_min)
      .Put(hello.version_max)
      .Put<uint8_t>(static_cast<uint8_t>(hello.purpose))
      .Put(hello.target);
  PutIdentity(hello.from, writer);
  AppendFrame(FrameType::kHello, GroupId(0), writer.bytes(), 0, 0, to);
}

absl::StatusOr<Hello> DecodeHello(const Frame& frame) {
  Hello hello;
  uint8_t purpose = 0;
  Reader reader(frame.control);
  reader.Take(hello.version_min).Take(hello.version_max).Take(purpose).Take(hello.target);
  reader.Require(hello.version_min <= hello.version_max && purpose >= 1 && purpose <= 2);
  hello.purpose = static_cast<PeerPurpose>(purpose);
  TakeIdentity(reader, hello.from);
  CAIRN_RETURN_IF_ERROR(HandshakeComplete(reader, frame, "hello"));
  return hello;
}

void EncodeWelcome(const Welcome& welcome, env::SliceBuffer& to) {
  Writer writer;
  writer.Put(welcome.version);
  PutIdentity(welcome.from, writer);
  AppendFrame(FrameType::kWelcome, GroupId(0), writer.bytes(), 0, 0, to);
}

absl::StatusOr<Welcome> DecodeWelcome(const Frame& frame) {
  Welcome welcome;
  Reader reader(frame.control);
  reader.Take(welcome.version);
  TakeIdentity(reader, welcome.from);
  CAIRN_RETURN_IF_ERROR(HandshakeComplete(reader, frame, "welcome"));
  return welcome;
}

void EncodeRefusal(const Refusal& refusal, env::SliceBuffer& to) {
  // Leaves room for the fixed fields within the limit of a handshake frame.
  constexpr size_t kMaxText = 1024;
  Writer writer;
  writer.Put<uint8_t>(static_cast<uint8_t>(refusal.reason)).PutString(refusal.text, kMaxText);
  AppendFrame(FrameType::kRefusal, GroupId(0), writer.bytes(), 0, 0, to);
}

absl::StatusOr<Refusal> DecodeRefusal(const Frame& frame) {
  Refusal refusal;
  uint8_t reason = 0;
  Reader reader(frame.control);
  reader.Take(reason).TakeString(refusal.text, kMaxHandshakeBytes);
  CAIRN_RETURN_IF_ERROR(HandshakeComplete(reader, frame, "refusal"));
  if (reason <= static_cast<uint8_t>(RefusalReason::kOverloaded)) {
    refusal.reason = static_cast<RefusalReason>(reason);
  }
  return refusal;
}

void EncodePing(env::SliceBuffer& to) { AppendFrame(FrameType::kPing, GroupId(0), {}, 0, 0, to); }

absl::Status DecodePing(const Frame& frame) {
  if (frame.group.value() != 0) return Malformed("ping");
  return Complete(Reader(frame.control), frame, "ping");
}

absl::Status EncodeMessage(GroupId group, const Message& message, env::SliceBuffer& to) {
  return std::visit(
      [&](const auto& m) -> absl::Status { return Encode(group, TypeOf(message), m, to); },
      message);
}

absl::StatusOr<Message> DecodeMessage(Frame frame) {
  switch (frame.type) {
    case FrameType::kRequestVote:
      return Decode<RequestVote>(frame);
    case FrameType::kRequestVoteResult:
      return Decode<RequestVoteResult>(frame);
    case FrameType::kAppendEntries:
      return DecodeAppendEntries(frame);
    case FrameType::kAppendEntriesResult:
      return Decode<AppendEntriesResult>(frame);
    case FrameType::kInstallSnapshot:
      return DecodeInstallSnapshot(frame);
    case FrameType::kTimeoutNow:
      return Decode<TimeoutNow>(frame);
    case FrameType::kProbe:
      return Decode<Probe>(frame);
    case FrameType::kProbeResult:
      return Decode<ProbeResult>(frame);
    default:
      return Malformed("not a Raft message");
  }
}

void EncodeRequest(uint64_t id, uint16_t method, std::shared_ptr<const std::string> payload,
                   uint32_t payload_crc, env::SliceBuffer& to) {
  Writer writer;
  writer.Put(id).Put(method);
  const size_t size = payload->size();
  AppendFrame(FrameType::kRequest, GroupId(0), writer.bytes(), size, payload_crc, to);
  to.Append(std::move(payload), 0, size);
}

absl::StatusOr<Request> DecodeRequest(Frame frame) {
  Request request;
  Reader reader(frame.control);
  reader.Take(request.id).Take(request.method);
  if (reader.failed() || reader.left() > 0 || frame.group.value() != 0) return Malformed("request");
  CAIRN_RETURN_IF_ERROR(CheckBody(frame));
  request.payload = TakeBody(frame);
  return request;
}

void EncodeResponse(uint64_t id, std::shared_ptr<const std::string> payload, uint32_t payload_crc,
                    env::SliceBuffer& to) {
  Writer writer;
  writer.Put(id).Put<uint8_t>(0);
  const size_t size = payload->size();
  AppendFrame(FrameType::kResponse, GroupId(0), writer.bytes(), size, payload_crc, to);
  to.Append(std::move(payload), 0, size);
}

void EncodeErrorResponse(uint64_t id, const absl::Status& error, env::SliceBuffer& to) {
  CAIRN_CHECK(!error.ok(), "a success has a payload");
  const std::string_view text = base::StdView(error.message());
  Writer writer;
  writer.Put(id)
      .Put<uint8_t>(static_cast<uint8_t>(error.raw_code()))
      .PutString(text, kMaxErrorTextBytes);
  const auto info = base::GetErrorInfo(error);
  writer.Put(info.has_value());
  if (info) {
    const size_t count = std::min(info->metadata.size(), kMaxErrorFields);
    writer.PutString(info->reason, kMaxErrorTextBytes).Put<uint8_t>(static_cast<uint8_t>(count));
    size_t left = count;
    for (const auto& [key, value] : info->metadata) {
      if (left-- == 0) break;
      writer.PutString(key, kMaxErrorTextBytes).PutString(value, kMaxErrorTextBytes);
    }
  }
  AppendFrame(FrameType::kResponse, GroupId(0), writer.bytes(), 0, 0, to);
}

absl::StatusOr<Response> DecodeResponse(Frame frame) {
  Response response;
  uint8_t code = 0;
  Reader reader(frame.control);
  reader.Take(response.id).Take(code);
  if (reader.failed() || frame.group.value() != 0) return Malformed("response");
  if (code == 0) {
    if (reader.left() > 0) return Malformed("response");
    CAIRN_RETURN_IF_ERROR(CheckBody(frame));
    response.result = TakeBody(frame);
    return response;
  }
  std::string text;
  bool has_info = false;
  base::ErrorInfo info;
  reader.Require(code <= static_cast<uint8_t>(absl::StatusCode::kUnauthenticated));
  reader.TakeString(text, kMaxErrorTextBytes).Take(has_info);
  if (has_info) {
    uint8_t count = 0;
    reader.TakeString(info.reason, kMaxErrorTextBytes).Take(count);
    reader.Require(count <= kMaxErrorFields);
    for (uint8_t i = 0; i < count && !reader.failed(); ++i) {
      std::string key;
      std::string value;
      reader.TakeString(key, kMaxErrorTextBytes).TakeString(value, kMaxErrorTextBytes);
      // In order and each once, as a map is written.
      reader.Require(info.metadata.empty() || info.metadata.rbegin()->first < key);
      info.metadata[std::move(key)] = std::move(value);
    }
  }
  CAIRN_RETURN_IF_ERROR(Complete(reader, frame, "error response"));
  absl::Status error(static_cast<absl::StatusCode>(code), text);
  response.result = has_info ? base::WithErrorInfo(std::move(error), info) : std::move(error);
  return response;
}

}  // namespace cairn::consensus
