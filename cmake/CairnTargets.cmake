# The three shapes of target in this project: a layer, its tests, its benchmarks.
include(GoogleTest)

# cairn_layer(NAME SOURCES... DEPENDS...) — the static library of one folder of src/.
function(cairn_layer name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(cairn_${name} STATIC ${A_SOURCES})
  add_library(cairn::${name} ALIAS cairn_${name})
  target_include_directories(cairn_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(cairn_${name} PUBLIC ${A_DEPENDS})
endfunction()

# cairn_test(LAYER SOURCES... DEPENDS...) — one gtest program per folder; its cases are ctest tests
# named LAYER/Suite.Case and labelled with the layer.
function(cairn_test layer)
  if(NOT BUILD_TESTING)
    return()
  endif()
  cmake_parse_arguments(A "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${layer}_test ${A_SOURCES})
  target_link_libraries(${layer}_test PRIVATE cairn::${layer} ${A_DEPENDS} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${layer}_test TEST_PREFIX ${layer}/ PROPERTIES LABELS ${layer} TIMEOUT 900
                       DISCOVERY_TIMEOUT 60)
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
