// What every node of a cluster is told before its bytes can be read: keys and label; and the parts
// that packets and streams have in common.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gossip/wire/keyring.h"

namespace cairn::gossip {

struct Envelope {
  Keyring keyring;
  // Of memberlist 0.3 and later: keeps clusters apart that share a network. "": none. At most
  // kMaxLabelBytes.
  std::string label;
};

// The label in front of a packet or stream: mark, length, text; nothing without a label.
std::string LabelHeader(std::string_view label);

// What lies behind the label header of `bytes`. Errors: OUT_OF_RANGE when the header is cut short;
// INVALID_ARGUMENT when it is there and empty; PERMISSION_DENIED when the label is not `label`, or
// is missing.
absl::StatusOr<std::string_view> TakeLabel(std::string_view bytes, std::string_view label);

// A compressed message: type 9 and {Algo, Buf}.
std::string CompressMessage(std::string_view message);
// The inverse; `body` follows the type. Errors: those of MsgpackReader and LzwExpand;
// INVALID_ARGUMENT for an algorithm other than LZW.
absl::StatusOr<std::string> ExpandMessage(std::string_view body, size_t limit_bytes);

}  // namespace cairn::gossip
