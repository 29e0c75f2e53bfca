// A snapshot of producer states: what decodes encodes to the same bytes.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "broker/producer_states.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cairn::broker::ProducerStates;
  const auto snapshot = ProducerStates::Decode({reinterpret_cast<const char*>(data), size});
  if (!snapshot.ok()) return 0;
  const auto again = ProducerStates::Decode(snapshot->states.Encode(snapshot->end_offset));
  CAIRN_CHECK(again.ok() && again->end_offset == snapshot->end_offset, "what was encoded decodes");
  return 0;
}
