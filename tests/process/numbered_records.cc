#include "process/numbered_records.h"

#include <gtest/gtest.h>

#include <set>

#include "cairn/consumer.h"

namespace cairn::testing {

uint64_t ExpectExactlyOnce(std::shared_ptr<Client> client, const std::string& topic,
                           const std::map<uint64_t, uint64_t>& acknowledged) {
  auto consumer = Consumer::Create(std::move(client), {.topic = topic, .stop_at_end = true});
  EXPECT_TRUE(consumer.ok()) << consumer.status();
  if (!consumer.ok()) return 0;
  std::map<uint64_t, uint64_t> found;  // number to offset
  uint64_t next_offset = 0;
  uint64_t last_number = 0;
  ConsumedRecord record;
  Consumer::Result result;
  while ((result = (*consumer)->Next(record)) == Consumer::Result::kRecord) {
    EXPECT_EQ(record.offset, next_offset++);
    const uint64_t number = std::stoull(std::string(record.value.value_or("0")));
    EXPECT_TRUE(found.emplace(number, record.offset).second)
        << "record " << number << " is stored twice: at " << found[number] << " and "
        << record.offset;
    EXPECT_TRUE(found.size() == 1 || number > last_number)
        << "record " << number << " stands behind " << last_number;
    last_number = number;
    if (::testing::Test::HasFailure()) break;
  }
  EXPECT_EQ(result, Consumer::Result::kEnd) << (*consumer)->status();
  for (const auto& [number, offset] : acknowledged) {
    const auto at = found.find(number);
    if (at == found.end()) {
      ADD_FAILURE() << "acknowledged record " << number << " (offset " << offset << ") is lost";
      break;
    }
    EXPECT_EQ(at->second, offset) << "record " << number;
  }
  return found.size();
}

}  // namespace cairn::testing
