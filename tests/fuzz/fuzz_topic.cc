// A topic's description with a checksum that holds, as a foreign program or a newer one might write
// it: the topics load, and one that cannot be understood is found with its error. The data
// directory's own file likewise.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "broker/data_directory.h"
#include "broker/topic_store.h"
#include "env/files.h"
#include "env/sim_clock.h"
#include "env/sim_file_system.h"
#include "env/sim_random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  if (size > 128 << 10) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  env::SimFileSystem fs(1);
  env::SimClock clock;
  env::SimRandom random(1);
  CAIRN_CHECK(env::CreateDirs(fs, "/data/topics/t/0").ok() &&
                  env::ReplaceChecksummedFile(fs, "/data/topics/t/topic.json", text).ok() &&
                  env::ReplaceChecksummedFile(fs, "/data/cairn.json", text).ok() &&
                  env::ReplaceChecksummedFile(fs, "/data/producer-ids", text).ok(),
              "the disk is whole");
  broker::TopicStore store(fs, clock, "/data/topics");
  const auto found = store.Load();
  CAIRN_CHECK(found.ok() && found->size() == 1, "a bad description does not hide the topic");
  const auto& topic = found->front();
  CAIRN_CHECK(topic.info.name == "t", "the topic is known by its directory");
  CAIRN_CHECK(!topic.status.ok() || topic.info.partition_count >= 1, "a topic has partitions");

  const auto directory = broker::DataDirectory::Open(fs, random, "/data");
  if (directory.ok()) (void)(*directory)->AllocateProducerId();
  return 0;
}
