# The Raft engine: target cairn_libraft. Exactly 0.22.1: the guards of src/consensus/libraft are proven against
# it, and write fields that upstream does not promise to keep.
set(CAIRN_LIBRAFT_VERSION 0.22.1)
set(CAIRN_LIBRAFT_DIR "" CACHE PATH
  "A libraft built by scripts/build-libraft-asserts (include/ and lib/), to be used instead of Debian's")

add_library(cairn_libraft INTERFACE)
if(CAIRN_LIBRAFT_DIR)
  get_filename_component(libraft_dir "${CAIRN_LIBRAFT_DIR}" ABSOLUTE BASE_DIR "${PROJECT_SOURCE_DIR}")
  find_library(CAIRN_LIBRAFT_ARCHIVE libraft.a PATHS "${libraft_dir}/lib" NO_DEFAULT_PATH REQUIRED)
  target_include_directories(cairn_libraft SYSTEM INTERFACE "${libraft_dir}/include")
  target_link_libraries(cairn_libraft INTERFACE "${CAIRN_LIBRAFT_ARCHIVE}")
else()
  pkg_check_modules(libraft REQUIRED IMPORTED_TARGET raft)
  if(NOT libraft_VERSION VERSION_EQUAL CAIRN_LIBRAFT_VERSION)
    message(FATAL_ERROR "libraft ${libraft_VERSION} is installed, but only ${CAIRN_LIBRAFT_VERSION} is proven "
      "(src/consensus/libraft/guards.h). On Debian 12: scripts/install-dependencies takes it from bookworm-backports.")
  endif()
  target_link_libraries(cairn_libraft INTERFACE PkgConfig::libraft)
endif()
