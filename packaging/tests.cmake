# How tests are declared; docs/testing.md tells what kinds there are.
#
#   qn_unit_test(buf ROOM base SOURCES test_buf.c)              Criterion, ctest "unit.base.buf"
#   qn_unit_test(merge KIND prop ROOM model SOURCES prop_merge.c LIBRARIES store)
#   qn_program_test(group KIND sim SOURCES sim_group.c LIBRARIES core ARGUMENTS --seeds 2000)
#   qn_script_test(style KIND lint SCRIPT style.sh ARGUMENTS ${CMAKE_SOURCE_DIR})
#   qn_fuzz_target(cursor LIBRARIES proto [SOURCES fuzz_cursor.c] [DICT msgpack])
#
# ROOM and LIBRARIES take names of rooms ("model") or any target or library; LABELS, TIMEOUT (120 s)
# and SERIAL (no other test beside it) are understood by all but the last. The executable of a test is called
# after its ctest name, with '_' for '.'. It may include its own folder and "support/...".
find_package(PkgConfig REQUIRED)
pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)

set(QN_TEST_ENVIRONMENT
  "ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:allocator_may_return_null=1"
  "UBSAN_OPTIONS=abort_on_error=1:print_stacktrace=1"
  "LC_ALL=C.UTF-8"
  "TZ=UTC")

# Tests look inside: they may break what the layering forbids to code, and Criterion's macros are
# not clean under every warning that our own code is held to.
function(qn_test_executable target)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${target} ${ARG_SOURCES})
  target_compile_options(${target} PRIVATE -Wno-missing-prototypes -Wno-conversion -Wno-cast-qual)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
  foreach(library IN LISTS ARG_LIBRARIES)
    if(TARGET qn_${library})
      target_link_libraries(${target} PRIVATE qn_${library})
    else()
      target_link_libraries(${target} PRIVATE ${library})
    endif()
  endforeach()
endfunction()

function(qn_register_test name)
  cmake_parse_arguments(ARG "SERIAL" "TIMEOUT" "COMMAND;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(QN_SANITIZE)
    list(PREPEND ARG_COMMAND bash ${CMAKE_SOURCE_DIR}/tests/support/sanitized.sh)
  endif()
  add_test(NAME ${name} COMMAND ${ARG_COMMAND})
  set_tests_properties(${name} PROPERTIES
    TIMEOUT ${ARG_TIMEOUT}
    LABELS "${ARG_LABELS}"
    SKIP_RETURN_CODE 77
    ENVIRONMENT "${QN_TEST_ENVIRONMENT};${ARG_ENVIRONMENT}")
  if(ARG_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()

function(qn_unit_test name)
  cmake_parse_arguments(ARG "SERIAL" "ROOM;KIND;TIMEOUT" "SOURCES;LIBRARIES;LABELS;ENVIRONMENT" ${ARGN})
  if(NOT ARG_ROOM OR NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "qn_unit_test(${name}): ROOM and SOURCES, and not ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT ARG_KIND)
    set(ARG_KIND unit)
  endif()
  set(target ${ARG_KIND}_${ARG_ROOM}_${name})
  qn_test_executable(${target} SOURCES ${ARG_SOURCES}
    LIBRARIES ${ARG_ROOM} ${ARG_LIBRARIES} PkgConfig::CRITERION)
  if(ARG_SERIAL)
    set(serial SERIAL)
  endif()
  qn_register_test(${ARG_KIND}.${ARG_ROOM}.${name} ${serial}
    COMMAND $<TARGET_FILE:${target}> --color=never
    TIMEOUT ${ARG_TIMEOUT}
    LABELS ${ARG_KIND} ${ARG_ROOM} ${ARG_LABELS}
    ENVIRONMENT CRITERION_JOBS=1 ${ARG_ENVIRONMENT})
endfunction()

function(qn_program_test name)
  cmake_parse_arguments(ARG "SERIAL" "KIND;TIMEOUT" "SOURCES;LIBRARIES;LABELS;ARGUMENTS;ENVIRONMENT"
    ${ARGN})
  if(NOT ARG_KIND OR NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "qn_program_test(${name}): KIND and SOURCES, and not ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  set(target ${ARG_KIND}_${name})
  qn_test_executable(${target} SOURCES ${ARG_SOURCES} LIBRARIES ${ARG_LIBRARIES})
  if(ARG_SERIAL)
    set(serial SERIAL)
  endif()
  qn_register_test(${ARG_KIND}.${name} ${serial}
    COMMAND $<TARGET_FILE:${target}> ${ARG_ARGUMENTS}
    TIMEOUT ${ARG_TIMEOUT} LABELS ${ARG_KIND} ${ARG_LABELS} ENVIRONMENT ${ARG_ENVIRONMENT})
endfunction()

function(qn_script_test name)
  cmake_parse_arguments(ARG "SERIAL" "KIND;SCRIPT;TIMEOUT" "LABELS;ARGUMENTS;ENVIRONMENT" ${ARGN})
  if(NOT ARG_KIND OR NOT ARG_SCRIPT OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "qn_script_test(${name}): KIND and SCRIPT, and not ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(ARG_SERIAL)
    set(serial SERIAL)
  endif()
  qn_register_test(${ARG_KIND}.${name} ${serial}
    COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_SCRIPT} ${ARG_ARGUMENTS}
    TIMEOUT ${ARG_TIMEOUT} LABELS ${ARG_KIND} ${ARG_LABELS} ENVIRONMENT ${ARG_ENVIRONMENT})
endfunction()

# A target defines LLVMFuzzerTestOneInput. With QN_FUZZ it is a real fuzzer to be left running; in
# every other build the same code is an ordinary test that reads the corpus (tests/fuzz/corpus/NAME)
# and a fixed number of seeded mutations of it, among them with words of the format
# (tests/fuzz/dict/NAME.dict, or another one by DICT). A target without either is a mistake.
function(qn_fuzz_target name)
  cmake_parse_arguments(ARG "" "RUNS;TIMEOUT;DICT" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT ARG_DICT)
    set(ARG_DICT ${name})
  endif()
  if(NOT ARG_SOURCES)
    set(ARG_SOURCES fuzz_${name}.c)
  endif()
  if(NOT ARG_RUNS)
    set(ARG_RUNS 20000)
  endif()
  set(target fuzz_${name})
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  set(dict ${CMAKE_CURRENT_SOURCE_DIR}/dict/${ARG_DICT}.dict)
  file(GLOB seeds ${corpus}/*)
  if(NOT seeds OR NOT EXISTS ${dict})
    message(FATAL_ERROR "qn_fuzz_target(${name}): it needs seeds in ${corpus}, and ${dict}")
  endif()
  if(QN_FUZZ)
    qn_test_executable(${target} SOURCES ${ARG_SOURCES} LIBRARIES ${ARG_LIBRARIES})
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    set(found ${CMAKE_CURRENT_BINARY_DIR}/found/${name}) # new inputs go here, not into the tree
    file(MAKE_DIRECTORY ${found})
    set(command $<TARGET_FILE:${target}> -runs=${ARG_RUNS} -seed=1 -timeout=10 -dict=${dict} ${found} ${corpus})
  else()
    qn_test_executable(${target}
      SOURCES ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/support/fuzz_main.c
      LIBRARIES ${ARG_LIBRARIES} base)
    set(command $<TARGET_FILE:${target}> --seed 1 --runs ${ARG_RUNS} --dict ${dict} ${corpus})
  endif()
  qn_register_test(fuzz.${name} COMMAND ${command} TIMEOUT ${ARG_TIMEOUT} LABELS fuzz)
endfunction()
