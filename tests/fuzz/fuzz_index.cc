// An index file as a damaged disk might return it: it opens or is refused, and lookups in it end.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "env/files.h"
#include "env/sim_file_system.h"
#include "log/sparse_index.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace cairn;
  if (size < 2 || size > 4096) return 0;
  env::SimFileSystem fs(1);
  log::StoreHeader store;
  store.base_index = Index(1);
  {
    auto index = log::SparseIndex::Create(fs, "/index", store);
    CAIRN_CHECK(index.ok(), "the disk is whole");
    for (uint32_t i = 0; i < 10; ++i) {
      (*index)->Append({Offset(i), Index(1 + i), 1024 + i * 4096, Term(1), i});
    }
    (*index)->SetDurableMark({40'000, Offset(10), Index(11)});
  }
  {
    auto file = fs.Open("/index", env::OpenMode::kReadWrite);
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::string_view buffers[] = {bytes};
    const uint64_t position = data[0] * 32u + data[1];
    CAIRN_CHECK(file.ok() && (*file)->WriteAt(position, buffers).ok(), "the disk is whole");
  }
  const auto index = log::SparseIndex::Open(fs, "/index", store);
  if (!index.ok()) return 0;
  for (uint64_t i = 0; i < 12; ++i) {
    (void)(*index)->FloorOffset(Offset(i));
    (void)(*index)->FloorIndex(Index(i));
    (void)(*index)->FloorTimestamp(static_cast<int64_t>(i));
  }
  (void)(*index)->durable_mark();
  (void)(*index)->close_mark();
  (*index)->Append({Offset(1000), Index(1001), 1 << 30, Term(2), 5});
  return 0;
}
