#include "gossip/serf/snapshot.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"
#include "gossip/serf/lamport.h"
#include "gossip/swim/swim_config.h"
#include "gossip/wire/message_codec.h"

namespace cairn::gossip {
namespace {

constexpr std::string_view kTitle = "cairn gossip snapshot 1";

// What stands before the next `end`, which is taken too.
std::string_view TakeUntil(std::string_view& text, char end) {
  const size_t at = std::min(text.find(end), text.size());
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return taken;
}

bool TakeTime(std::string_view& line, LamportTime& time) {
  const std::string_view digits = TakeUntil(line, ' ');
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), time);
  return error == std::errc() && end == digits.data() + digits.size() && time <= kMaxLamportTime;
}

}  // namespace

std::string EncodeSnapshot(const SerfSnapshot& snapshot) {
  std::string text = base::StrCat(kTitle, "\nclock ", snapshot.member_time, " ",
                                  snapshot.event_time, " ", snapshot.query_time, "\n");
  for (const auto& [name, address] : snapshot.members) {
    text += base::StrCat("member ", address.ToString(), " ", name, "\n");
  }
  return text;
}

absl::StatusOr<SerfSnapshot> DecodeSnapshot(std::string_view text) {
  SerfSnapshot snapshot;
  int number = 0;
  while (!text.empty()) {
    std::string_view line = TakeUntil(text, '\n');
    ++number;
    const auto bad = [number](std::string_view why) {
      return absl::InvalidArgumentError(base::StrCat("gossip snapshot, line ", number, ": ", why));
    };
    if (number == 1) {
      if (line != kTitle) return bad("not a snapshot of a known version");
      continue;
    }
    const std::string_view word = TakeUntil(line, ' ');
    if (word == "clock") {
      if (!TakeTime(line, snapshot.member_time) || !TakeTime(line, snapshot.event_time) ||
          !TakeTime(line, snapshot.query_time) || !line.empty()) {
        return bad("not three times");
      }
    } else if (word == "member") {
      const absl::StatusOr<Address> address = Address::Parse(TakeUntil(line, ' '));
      if (!address.ok()) return bad(base::StdView(address.status().message()));
      if (!CheckName(line).ok()) return bad("not a name");
      if (snapshot.members.size() == kMaxMembers) return bad("too many members");
      snapshot.members.push_back({std::string(line), *address});
    } else {
      return bad("an unknown word");
    }
  }
  if (number == 0) return absl::InvalidArgumentError("gossip snapshot: empty");
  return snapshot;
}

}  // namespace cairn::gossip
