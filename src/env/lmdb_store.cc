#include "env/lmdb_store.h"

#include <lmdb.h>

#include <utility>

#include "base/mutex.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "env/posix_error.h"

namespace cairn::env {
namespace {

absl::Status LmdbError(int error, std::string_view operation, const std::string& path) {
  const std::string message = base::StrCat(operation, " ", path, ": ", mdb_strerror(error));
  if (error > 0) return PosixError(error, operation, path);
  switch (error) {
    case MDB_MAP_FULL:
      return absl::ResourceExhaustedError(message);
    case MDB_INVALID:
    case MDB_CORRUPTED:
    case MDB_VERSION_MISMATCH:
    case MDB_PAGE_NOTFOUND:
      return absl::DataLossError(message);
    default:
      return absl::InternalError(message);
  }
}

MDB_val ToVal(std::string_view bytes) {
  return {.mv_size = bytes.size(), .mv_data = const_cast<char*>(bytes.data())};
}
std::string_view ToView(const MDB_val& val) {
  return {static_cast<const char*>(val.mv_data), val.mv_size};
}

struct CloseEnvironment {
  void operator()(MDB_env* environment) const { mdb_env_close(environment); }
};
struct AbortTransaction {
  void operator()(MDB_txn* transaction) const { mdb_txn_abort(transaction); }
};
struct CloseCursor {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using Transaction = std::unique_ptr<MDB_txn, AbortTransaction>;

class LmdbStore final : public KeyValueStore {
 public:
  explicit LmdbStore(std::string path) : path_(std::move(path)) {}

  absl::Status Open() {
    MDB_env* environment = nullptr;
    if (int error = mdb_env_create(&environment); error != 0) return Error(error, "create");
    environment_.reset(environment);
    if (int error = mdb_env_set_mapsize(environment, kLmdbMapBytes); error != 0) {
      return Error(error, "set the size of");
    }
    // NOTLS: a read transaction is not bound to its thread. Without MDB_NOSYNC and its like every
    // commit is an fdatasync.
    if (int error = mdb_env_open(environment, path_.c_str(), MDB_NOTLS, 0600); error != 0) {
      return Error(error, "open");
    }
    CAIRN_ASSIGN_OR_RETURN(Transaction transaction, Begin(0));
    if (int error = mdb_dbi_open(transaction.get(), nullptr, 0, &table_); error != 0) {
      return Error(error, "open the table of");
    }
    return Commit(std::move(transaction));
  }

  absl::Status Apply(std::span<const Change> changes) override {
    base::MutexLock lock(mutex_);  // LMDB would block here as well, in a mutex of its own
    CAIRN_ASSIGN_OR_RETURN(Transaction transaction, Begin(0));
    for (const Change& change : changes) {
      MDB_val key = ToVal(change.key);
      int error = 0;
      if (change.value.has_value()) {
        MDB_val value = ToVal(*change.value);
        error = mdb_put(transaction.get(), table_, &key, &value, 0);
      } else {
        error = mdb_del(transaction.get(), table_, &key, nullptr);
        if (error == MDB_NOTFOUND) error = 0;
      }
      if (error != 0) return Error(error, "write to");
    }
    return Commit(std::move(transaction));
  }

  absl::Status ForEach(
      std::string_view prefix,
      absl::FunctionRef<void(std::string_view, std::string_view)> visit) const override {
    CAIRN_ASSIGN_OR_RETURN(Transaction transaction, Begin(MDB_RDONLY));
    MDB_cursor* opened = nullptr;
    if (int error = mdb_cursor_open(transaction.get(), table_, &opened); error != 0) {
      return Error(error, "read");
    }
    std::unique_ptr<MDB_cursor, CloseCursor> cursor(opened);
    MDB_val key = ToVal(prefix);
    MDB_val value{};
    int error =
        mdb_cursor_get(cursor.get(), &key, &value, prefix.empty() ? MDB_FIRST : MDB_SET_RANGE);
    while (error == 0 && ToView(key).starts_with(prefix)) {
      visit(ToView(key), ToView(value));
      error = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT);
    }
    return error == 0 || error == MDB_NOTFOUND ? absl::OkStatus() : Error(error, "read");
  }

 private:
  absl::Status Error(int error, std::string_view operation) const {
    return LmdbError(error, operation, path_);
  }

  absl::StatusOr<Transaction> Begin(unsigned flags) const {
    MDB_txn* transaction = nullptr;
    if (int error = mdb_txn_begin(environment_.get(), nullptr, flags, &transaction); error != 0) {
      return Error(error, "begin a transaction on");
    }
    return Transaction(transaction);
  }

  absl::Status Commit(Transaction transaction) const {
    // Frees the transaction, whatever comes out.
    const int error = mdb_txn_commit(transaction.release());
    return error == 0 ? absl::OkStatus() : Error(error, "commit to");
  }

  const std::string path_;
  std::unique_ptr<MDB_env, CloseEnvironment> environment_;
  MDB_dbi table_ = 0;
  base::Mutex mutex_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<KeyValueStore>> OpenLmdbStore(const std::string& directory) {
  auto store = std::make_unique<LmdbStore>(directory);
  CAIRN_RETURN_IF_ERROR(store->Open());
  return store;
}

}  // namespace cairn::env
