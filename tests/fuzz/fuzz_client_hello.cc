// What a client may send before its TLS: it is a hello, one to wait for, or none, without a crash.
// Waiting for as many bytes as asked for leads to the same, and so does a message that is cut into
// records otherwise.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "rpc/client_hello.h"
#include "rpc/limits.h"

namespace cairn::rpc {
namespace {

using State = ClientHello::State;

void CheckShape(const ClientHello& hello, size_t given) {
  CAIRN_CHECK(hello.why.empty() == (hello.state != State::kMalformed), "malformed has a reason");
  CAIRN_CHECK(hello.protocols.empty() || hello.state == State::kComplete, "all or nothing");
  if (hello.state == State::kIncomplete) {
    CAIRN_CHECK(hello.needed_bytes > given && hello.needed_bytes <= kMaxClientHelloBytes,
                "it is worth while and possible to wait");
  }
}

void CheckSteps(std::string_view bytes) {
  const ClientHello whole = PeekClientHello(bytes);
  CheckShape(whole, bytes.size());
  ClientHello step = PeekClientHello("");
  int looks = 1;
  while (step.state == State::kIncomplete && step.needed_bytes <= bytes.size()) {
    const size_t given = step.needed_bytes;
    step = PeekClientHello(bytes.substr(0, given));
    CheckShape(step, given);
    ++looks;
  }
  CAIRN_CHECK(looks < 100, "a peer cannot make it look for ever");
  if (step.state == State::kIncomplete) {
    CAIRN_CHECK(whole.state != State::kComplete, "what was asked for is needed");
  } else {
    CAIRN_CHECK(step.state == whole.state && step.protocols == whole.protocols,
                "more bytes change nothing");
  }
}

std::string InRecords(std::string_view message, size_t fragment_bytes) {
  std::string records;
  for (; !message.empty(); message.remove_prefix(std::min(fragment_bytes, message.size()))) {
    const std::string_view fragment = message.substr(0, fragment_bytes);
    records += "\x16\x03\x01";
    records += static_cast<char>(fragment.size() >> 8);
    records += static_cast<char>(fragment.size());
    records += fragment;
  }
  return records;
}

void CheckFragments(std::string_view message) {
  const std::string one_record = InRecords(message, 1 << 14);
  const ClientHello hello = PeekClientHello(one_record);
  if (hello.state != State::kComplete) return;
  for (const size_t fragment_bytes : {1, 3, 50, 4000}) {
    const std::string records = InRecords(message, fragment_bytes);
    const ClientHello same = PeekClientHello(records);
    if (same.why == "too large") continue;  // by its headers
    CAIRN_CHECK(same.state == State::kComplete && same.protocols == hello.protocols,
                "records are no part of the message");
  }
}

}  // namespace
}  // namespace cairn::rpc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  cairn::rpc::CheckSteps(bytes);
  // As if its first record held a message.
  if (size > 5) cairn::rpc::CheckFragments(bytes.substr(5));
  return 0;
}
