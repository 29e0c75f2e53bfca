// Creates a topic, appends three records to it, and reads them back.
//
// Usage: greetings [HOST:PORT]

#include <iostream>
#include <string>

#include "cairn/admin.h"
#include "cairn/client.h"
#include "cairn/consumer.h"
#include "cairn/error.h"
#include "cairn/producer.h"

namespace {

absl::Status Greet(const std::string& address) {
  auto client = cairn::Client::Create({.address = address});
  if (!client.ok()) return client.status();

  auto topic = cairn::Admin(*client).CreateTopic({.name = "greetings"});
  if (!topic.ok() && cairn::ErrorReason(topic.status()) != "TOPIC_EXISTS") return topic.status();

  auto producer = cairn::Producer::Create(*client, {.topic = "greetings"});
  if (!producer.ok()) return producer.status();
  for (const char* value : {"hello, world", "how are you?", "goodbye"}) {
    // Taken now, sent in a batch with others; the callback hears when it is on disk.
    const absl::Status taken = (*producer)->Produce(
        {.key = "en", .value = value}, [](const absl::StatusOr<cairn::Delivery>& delivery) {
          if (!delivery.ok()) std::cerr << delivery.status() << '\n';
        });
    if (!taken.ok()) return taken;
  }
  // OK only when every record is on disk.
  if (absl::Status flushed = (*producer)->Flush(); !flushed.ok()) return flushed;

  auto consumer = cairn::Consumer::Create(*client, {.topic = "greetings", .stop_at_end = true});
  if (!consumer.ok()) return consumer.status();
  cairn::ConsumedRecord record;
  while ((*consumer)->Next(record) == cairn::Consumer::Result::kRecord) {
    std::cout << "offset " << record.offset << ": " << record.value.value_or("") << '\n';
  }
  return (*consumer)->status();
}

}  // namespace

int main(int argc, char** argv) {
  const absl::Status status = Greet(argc > 1 ? argv[1] : "127.0.0.1:8400");
  if (!status.ok()) std::cerr << status << '\n';
  return status.ok() ? 0 : 1;
}
