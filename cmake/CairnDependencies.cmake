# Everything here is a Debian 12 package; scripts/install-dependencies names them.

find_package(Threads REQUIRED)
find_package(absl REQUIRED CONFIG)
find_package(Boost 1.81 REQUIRED)
find_package(nlohmann_json REQUIRED CONFIG)
find_package(PkgConfig REQUIRED)
pkg_check_modules(isal REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(lz4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(lmdb REQUIRED IMPORTED_TARGET lmdb)
pkg_check_modules(cairn_re2 REQUIRED IMPORTED_TARGET re2)  # not "re2": gRPC looks for it by that name
find_package(prometheus-cpp REQUIRED CONFIG COMPONENTS core)
find_package(OpenSSL 3 REQUIRED COMPONENTS Crypto SSL)
include(CairnLibraft)

if(CAIRN_WITH_GRPC)
  find_package(Protobuf REQUIRED)  # before gRPC: its package configuration expects it
  find_package(gRPC REQUIRED CONFIG)
  find_package(opentelemetry-cpp 1.19.0 REQUIRED CONFIG)
  find_package(yaml-cpp REQUIRED CONFIG)
  find_package(CLI11 REQUIRED CONFIG)
  pkg_check_modules(libarchive REQUIRED IMPORTED_TARGET libarchive)
endif()

if(BUILD_TESTING OR NOT DEFINED BUILD_TESTING)
  find_package(GTest REQUIRED)
  find_package(benchmark REQUIRED CONFIG)
  find_library(CAIRN_RAPIDCHECK rapidcheck REQUIRED)
endif()
