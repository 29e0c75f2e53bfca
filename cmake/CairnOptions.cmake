# Compiler settings that hold for every target.

option(CAIRN_WITH_GRPC "Build the layers that need gRPC (api, rpc, http, client, server, apps)" ON)
option(CAIRN_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
option(CAIRN_WERROR "Treat warnings as errors" ON)
option(CAIRN_UNITY "Compile the files of a target in batches: a build of everything takes a third of the time" OFF)
set(CAIRN_SANITIZE "" CACHE STRING "Sanitizers to build with, as in -fsanitize= (address,undefined | thread)")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

# Line tables give stack traces; all of -g takes as long as compiling does, and twice that with sanitizers. Who wants to
# see variables in a debugger builds with CMAKE_BUILD_TYPE=Debug.
if(CAIRN_SANITIZE)
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1 -DNDEBUG")
else()
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
endif()

# For builds that nobody edits in. What differs from file to file in a nameless namespace has to have different names.
set(CMAKE_UNITY_BUILD ${CAIRN_UNITY})
set(CMAKE_UNITY_BUILD_BATCH_SIZE 10)

find_program(CAIRN_CCACHE ccache)
if(CAIRN_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CAIRN_CCACHE})
endif()

find_program(CAIRN_MOLD mold)
if(CAIRN_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wcast-align -Wunused
                    -Woverloaded-virtual -Wimplicit-fallthrough -fno-omit-frame-pointer)
# Designated initialisers that leave members to their defaults are the way options are written here.
add_compile_options(-Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # False alarms at -O3 on "literal" + std::string (GCC bug 105651, fixed in 13).
  add_compile_options(-Wno-restrict)
endif()
if(CAIRN_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_compile_options(-Wthread-safety)
endif()
if(CAIRN_SANITIZE)
  add_compile_options(-fsanitize=${CAIRN_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CAIRN_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # The sanitizers' code gives false alarms, here on moved variants (see -fsanitize in GCC's manual).
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
else()
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # False alarms at -O3 on moved variants: members of alternatives that are not there (GCC bug 80635 and its kin).
    add_compile_options($<$<CONFIG:Release>:-Wno-maybe-uninitialized>)
  endif()
  add_compile_options(-fstack-protector-strong)
  add_compile_options($<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
  add_link_options(-Wl,-z,relro,-z,now)
endif()
if(CAIRN_FUZZ)
  # In the layers too: without it the fuzzer sees nothing of what it drives.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
