# The three shapes of target in this project: a layer, its tests, its benchmarks.
include(GoogleTest)

# cairn_in_batches(TARGET...) — the files of a target whose compile time goes into the headers of gRPC are compiled a
# few at a time, also where CAIRN_UNITY is off.
function(cairn_in_batches)
  foreach(target ${ARGN})
    if(TARGET ${target} AND NOT CAIRN_UNITY)
      set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 5)
    endif()
  endforeach()
endfunction()

# cairn_layer(NAME SOURCES... DEPENDS...) — the static library of one folder of src/.
function(cairn_layer name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(cairn_${name} STATIC ${A_SOURCES})
  add_library(cairn::${name} ALIAS cairn_${name})
  target_include_directories(cairn_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(cairn_${name} PUBLIC ${A_DEPENDS})
endfunction()

# What a test takes of the slots that ctest --parallel gives out, of which a core has five: one that computes a core, one
# that mostly waits for other processes less.
set(CAIRN_SLOTS_COMPUTING 5)
set(CAIRN_SLOTS_WAITING 2)

# cairn_test(LAYER [WAITING] SOURCES... DEPENDS...) — one gtest program per folder; its cases are ctest tests
# named LAYER/Suite.Case and labelled with the layer.
function(cairn_test layer)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(A "WAITING" "" "SOURCES;DEPENDS" ${ARGN})
  set(slots ${CAIRN_SLOTS_COMPUTING})
  if(A_WAITING)
    set(slots ${CAIRN_SLOTS_WAITING})
  endif()
  add_executable(${layer}_test ${A_SOURCES})
  target_link_libraries(${layer}_test PRIVATE cairn::${layer} ${A_DEPENDS} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${layer}_test TEST_PREFIX ${layer}/ DISCOVERY_TIMEOUT 60
                       PROPERTIES LABELS ${layer} TIMEOUT 900 PROCESSORS ${slots})
endfunction()

# cairn_benchmark(NAME SOURCE DEPENDS...) — a Google Benchmark program; never run by the test suite, and not built with
# sanitizers, where it would measure them.
function(cairn_benchmark name source)
  if(NOT BUILD_TESTING OR CAIRN_SANITIZE)
    return()
  endif()
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE ${ARGN} benchmark::benchmark)
endfunction()
