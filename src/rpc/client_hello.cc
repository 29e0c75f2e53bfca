#include "rpc/client_hello.h"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace cairn::rpc {
namespace {

constexpr size_t kHandshakeHeader = 4;  // type, length (3)
constexpr size_t kMaxRecordBytes = 1 << 14;
constexpr uint8_t kClientHelloType = 1;
constexpr uint8_t kTlsMajorVersion = 3;
constexpr size_t kVersionAndRandom = 2 + 32;
constexpr uint64_t kAlpnExtension = 16;

absl::Status Malformed(const char* what) { return absl::InvalidArgumentError(what); }

// Takes fields from the front; nullopt when there are too few bytes.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  std::optional<std::string_view> Bytes(size_t size) {
    if (rest_.size() < size) return std::nullopt;
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::optional<uint64_t> Number(size_t size) {
    const auto bytes = Bytes(size);
    if (!bytes) return std::nullopt;
    uint64_t value = 0;
    for (const char c : *bytes) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }
  // A length of so many bytes, and what it counts.
  std::optional<std::string_view> Vector(size_t length_size) {
    const auto size = Number(length_size);
    if (!size) return std::nullopt;
    return Bytes(*size);
  }

 private:
  std::string_view rest_;
};

absl::StatusOr<std::vector<std::string>> ReadProtocols(std::string_view extension) {
  Fields outer(extension);
  const auto list = outer.Vector(2);
  if (!list || !outer.empty()) return Malformed("the list of protocols is not as long as it says");
  std::vector<std::string> protocols;
  for (Fields names(*list); !names.empty();) {
    const auto name = names.Vector(1);
    if (!name || name->empty()) return Malformed("a protocol's name is not as long as it says");
    protocols.emplace_back(*name);
  }
  return protocols;
}

absl::StatusOr<ClientHello> ReadHello(std::string_view body) {
  Fields fields(body);
  const bool head = fields.Bytes(kVersionAndRandom) && fields.Vector(1) &&  // session id
                    fields.Vector(2) &&                                     // cipher suites
                    fields.Vector(1);                                       // compression methods
  if (!head) return Malformed("the hello ends within its fields");
  ClientHello hello{.complete = true, .protocols = {}};
  if (fields.empty()) return hello;
  const auto extensions = fields.Vector(2);
  if (!extensions || !fields.empty())
    return Malformed("the extensions are not as long as they say");
  for (Fields each(*extensions); !each.empty();) {
    const auto type = each.Number(2);
    const auto data = each.Vector(2);
    if (!type || !data) return Malformed("an extension is not as long as it says");
    if (*type != kAlpnExtension) continue;
    auto protocols = ReadProtocols(*data);
    if (!protocols.ok()) return protocols.status();
    hello.protocols = *std::move(protocols);
  }
  return hello;
}

}  // namespace

bool ClientHello::Offers(std::string_view protocol) const {
  return std::find(protocols.begin(), protocols.end(), protocol) != protocols.end();
}

absl::StatusOr<ClientHello> PeekClientHello(std::string_view received) {
  const bool full = received.size() >= kMaxClientHelloBytes;
  std::string message;
  for (Fields records(received); !records.empty();) {
    const auto type = records.Number(1);
    const auto version = records.Number(2);
    const auto size = records.Number(2);
    if (type != static_cast<uint8_t>(kTlsFirstByte)) return Malformed("no record of a handshake");
    if (version && *version >> 8 != kTlsMajorVersion) return Malformed("no version of TLS");
    if (size && (*size == 0 || *size > kMaxRecordBytes)) {
      return Malformed("a record of an impossible length");
    }
    if (!size) break;
    const auto fragment = records.Bytes(*size);
    if (!fragment) break;
    message += *fragment;
    Fields handshake(message);
    const auto handshake_type = handshake.Number(1);
    if (handshake_type && *handshake_type != kClientHelloType) {
      return Malformed("the handshake does not begin with a hello");
    }
    const auto length = handshake.Number(3);
    if (length && kHandshakeHeader + *length > kMaxClientHelloBytes) {
      return Malformed("the hello is longer than any");
    }
    if (!length) continue;
    if (const auto body = handshake.Bytes(*length)) return ReadHello(*body);
  }
  if (full) return Malformed("the hello is longer than any");
  return ClientHello();
}

}  // namespace cairn::rpc
