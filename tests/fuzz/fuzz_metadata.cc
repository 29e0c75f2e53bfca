// What a peer, a snapshot or the data directory's own file may say to the cluster layer: every text
// is taken or refused, and what is taken encodes to what is taken again.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "broker/data_directory.h"
#include "cluster/command.h"
#include "cluster/metadata.h"
#include "env/files.h"
#include "env/sim_file_system.h"
#include "env/sim_random.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  if (size > 128 << 10) return 0;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto metadata = cluster::Metadata::Decode(text); metadata.ok()) {
    const auto again = cluster::Metadata::Decode(metadata->Encode());
    CAIRN_CHECK(again.ok() && *again == *metadata, "metadata encodes to itself");
  }
  if (const auto command = cluster::DecodeCommand(text); command.ok()) {
    const auto again = cluster::DecodeCommand(cluster::Encode(*command));
    CAIRN_CHECK(again.ok() && *again == *command, "a command encodes to itself");
    cluster::Metadata metadata;
    (void)cluster::Apply(metadata, *command);
  }
  env::SimFileSystem fs(1);
  env::SimRandom random(1);
  CAIRN_CHECK(env::CreateDirs(fs, "/data").ok() &&
                  env::ReplaceChecksummedFile(fs, "/data/cairn.json", text).ok(),
              "the disk is whole");
  (void)broker::DataDirectory::Open(fs, random, "/data");
  return 0;
}
