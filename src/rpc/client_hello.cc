#include "rpc/client_hello.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "rpc/limits.h"

namespace cairn::rpc {
namespace {

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kMajorVersion = 3;           // of SSL 3.0 and every TLS
constexpr size_t kRecordHeaderBytes = 5;       // type, version, length
constexpr size_t kMaxFragmentBytes = 1 << 14;  // RFC 8446 section 5.1

constexpr uint8_t kClientHelloMessage = 1;
constexpr size_t kMessageHeaderBytes = 4;  // type, length
// version, random, an empty session id, one cipher suite, one compression method
constexpr size_t kMinHelloBytes = 2 + 32 + 1 + (2 + 2) + (1 + 1);

constexpr uint16_t kAlpnExtension = 16;

uint32_t BigEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

// Takes numbers and vectors off the front of a view. A failure is remembered, and all that comes
// after it is empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view Take(size_t count) {
    if (count > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  uint32_t Number(size_t bytes) { return BigEndian(Take(bytes)); }
  // A vector with its length before it, in `length_bytes` bytes.
  std::string_view Vector(size_t length_bytes) { return Take(Number(length_bytes)); }

  bool failed() const { return failed_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

ClientHello MalformedHello(std::string_view why) {
  return {.state = ClientHello::State::kMalformed, .needed_bytes = 0, .why = why, .protocols = {}};
}

ClientHello NeedMore(size_t total_bytes) {
  if (total_bytes > kMaxClientHelloBytes) return MalformedHello("too large");
  return {.state = ClientHello::State::kIncomplete,
          .needed_bytes = total_bytes,
          .why = {},
          .protocols = {}};
}

// `data` of the ALPN extension.
ClientHello ReadProtocols(std::string_view data) {
  Reader outer(data);
  Reader list(outer.Vector(2));
  if (outer.failed() || !outer.empty() || list.empty()) return MalformedHello("ALPN has no list");
  ClientHello hello;
  hello.state = ClientHello::State::kComplete;
  while (!list.empty()) {
    const std::string_view name = list.Vector(1);
    if (list.failed()) return MalformedHello("an ALPN protocol goes beyond its list");
    if (name.empty()) return MalformedHello("an ALPN protocol without a name");
    hello.protocols.emplace_back(name);
  }
  return hello;
}

// `body`: the ClientHello without the header of its message.
ClientHello ReadHello(std::string_view body) {
  Reader reader(body);
  if (reader.Number(2) >> 8 != kMajorVersion) return MalformedHello("not a version of TLS");
  reader.Take(32);  // random
  if (reader.Vector(1).size() > 32) return MalformedHello("the session id is too long");
  const std::string_view cipher_suites = reader.Vector(2);
  const std::string_view compression_methods = reader.Vector(1);
  if (reader.failed()) return MalformedHello("a field goes beyond the hello");
  if (cipher_suites.empty() || cipher_suites.size() % 2 != 0) {
    return MalformedHello("the list of cipher suites has no sense");
  }
  if (compression_methods.empty()) return MalformedHello("no compression method");

  ClientHello hello;
  hello.state = ClientHello::State::kComplete;
  if (reader.empty()) return hello;  // up to TLS 1.2 there may be no extensions
  Reader extensions(reader.Vector(2));
  if (reader.failed() || !reader.empty()) {
    return MalformedHello("the extensions are not as long as they say");
  }
  bool seen = false;
  while (!extensions.empty()) {
    const uint32_t type = extensions.Number(2);
    const std::string_view data = extensions.Vector(2);
    if (extensions.failed()) return MalformedHello("an extension goes beyond the others");
    if (type != kAlpnExtension) continue;
    if (seen) return MalformedHello("ALPN twice");
    seen = true;
    hello = ReadProtocols(data);
    if (hello.state != ClientHello::State::kComplete) return hello;
  }
  return hello;
}

// The handshake message as it comes out of the records: in place as long as one record holds it,
// joined otherwise.
class Message {
 public:
  void Append(std::string_view fragment) {
    if (bytes_.empty()) {
      bytes_ = fragment;
      return;
    }
    if (joined_.empty()) joined_.assign(bytes_);
    joined_.append(fragment);
    bytes_ = joined_;
  }

  size_t size() const { return bytes_.size(); }
  // Whatever the message may still turn out to be, it has this many bytes or more.
  size_t least_bytes() const {
    return kMessageHeaderBytes + (length_known() ? length() : kMinHelloBytes);
  }
  bool complete() const { return length_known() && size() >= least_bytes(); }
  std::string_view body() const { return bytes_.substr(kMessageHeaderBytes, length()); }

  // Why it is none of ours, as far as can be seen; "" while it may be one.
  std::string_view Judge() const {
    if (!bytes_.empty() && static_cast<uint8_t>(bytes_[0]) != kClientHelloMessage) {
      return "not a ClientHello";
    }
    if (length_known() && length() < kMinHelloBytes) return "too short";
    return {};
  }

 private:
  bool length_known() const { return size() >= kMessageHeaderBytes; }
  size_t length() const { return BigEndian(bytes_.substr(1, 3)); }

  std::string_view bytes_;
  std::string joined_;
};

}  // namespace

bool ClientHello::Offers(std::string_view protocol) const {
  return std::find(protocols.begin(), protocols.end(), protocol) != protocols.end();
}

ClientHello PeekClientHello(std::string_view received) {
  // More than the limit can be given when a hello of the largest size is followed by other bytes.
  const std::string_view bytes = received.substr(0, kMaxClientHelloBytes);
  Message message;
  for (size_t at = 0;;) {  // the start of a record
    const std::string_view header = bytes.substr(at, kRecordHeaderBytes);
    if (!header.empty() && static_cast<uint8_t>(header[0]) != kHandshakeRecord) {
      return MalformedHello("a record that is not of the handshake");
    }
    if (header.size() > 1 && static_cast<uint8_t>(header[1]) != kMajorVersion) {
      return MalformedHello("a record of no version of TLS");
    }
    const size_t fragment_at = at + kRecordHeaderBytes;
    // The rest comes in this record or in several, each with a header of its own.
    const size_t missing = message.least_bytes() - message.size();
    if (header.size() < kRecordHeaderBytes) return NeedMore(fragment_at + missing);
    const size_t length = BigEndian(header.substr(3));
    if (length == 0) return MalformedHello("an empty record");
    if (length > kMaxFragmentBytes) return MalformedHello("a record that is too long");

    const std::string_view fragment = bytes.substr(fragment_at, length);
    message.Append(fragment);
    if (const std::string_view why = message.Judge(); !why.empty()) return MalformedHello(why);
    if (message.complete()) return ReadHello(message.body());
    if (fragment.size() < length) {
      const size_t rest = message.least_bytes() - message.size();
      const size_t rest_of_record = length - fragment.size();
      const size_t next_header = rest > rest_of_record ? kRecordHeaderBytes : 0;
      return NeedMore(fragment_at + fragment.size() + rest + next_header);
    }
    at = fragment_at + length;
  }
}

}  // namespace cairn::rpc
