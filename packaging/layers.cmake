# The layering of docs/architecture.md, enforced: one declaration names a library, its rank and
# what it may use; an edge to a library of the same or a higher rank stops the configuration.
#
#   qn_library(model RANK 20 PURE DEPENDS base crypto proto SOURCES a.c b.c EXTERNAL OpenSSL::Crypto)
#
# It is called in the CMakeLists.txt of the room's folder. A room sees its own headers, as
# "model/x.h", and those of its dependencies and of theirs: the include path is made of one folder
# for each room that holds nothing but a link to it.
#
# PURE libraries use PURE ones only, and tests/lint/pure_symbols.sh checks their undefined symbols
# against an allow-list. tests/lint/layering.sh tries what must fail here.
define_property(TARGET PROPERTY QN_RANK BRIEF_DOCS "rank in the layering" FULL_DOCS "see layers.cmake")
define_property(TARGET PROPERTY QN_PURE BRIEF_DOCS "is a pure room" FULL_DOCS "see layers.cmake")
define_property(TARGET PROPERTY QN_PATH BRIEF_DOCS "folder of the room" FULL_DOCS "see layers.cmake")
define_property(TARGET PROPERTY QN_DEPENDS BRIEF_DOCS "rooms used" FULL_DOCS "see layers.cmake")
set_property(GLOBAL PROPERTY QN_LIBRARIES "")
set_property(GLOBAL PROPERTY QN_PURE_LIBRARIES "")

function(qn_library name)
  cmake_parse_arguments(ARG "PURE" "RANK" "DEPENDS;SOURCES;EXTERNAL" ${ARGN})
  if(NOT ARG_RANK MATCHES "^[0-9]+$" OR NOT ARG_SOURCES OR ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "layering: ${name} needs RANK and SOURCES, and not '${ARG_UNPARSED_ARGUMENTS}'")
  endif()
  add_library(qn_${name} STATIC ${ARG_SOURCES})
  set_target_properties(qn_${name} PROPERTIES
    QN_RANK ${ARG_RANK} QN_PURE ${ARG_PURE} QN_PATH ${CMAKE_CURRENT_SOURCE_DIR}
    QN_DEPENDS "${ARG_DEPENDS}")
  foreach(dependency IN LISTS ARG_DEPENDS)
    qn_check_edge(${name} ${dependency})
    target_link_libraries(qn_${name} PUBLIC qn_${dependency})
  endforeach()
  target_link_libraries(qn_${name} PRIVATE ${ARG_EXTERNAL})
  qn_expose_headers(${name})
  set_property(GLOBAL APPEND PROPERTY QN_LIBRARIES ${name})
  if(ARG_PURE)
    set_property(GLOBAL APPEND PROPERTY QN_PURE_LIBRARIES ${name})
  endif()
endfunction()

function(qn_check_edge name dependency)
  if(NOT TARGET qn_${dependency})
    message(FATAL_ERROR "layering: ${name} uses ${dependency}, which is not declared before it")
  endif()
  get_target_property(rank qn_${name} QN_RANK)
  get_target_property(below qn_${dependency} QN_RANK)
  if(NOT below LESS rank)
    message(FATAL_ERROR "layering: ${name} (rank ${rank}) may not use ${dependency} (rank ${below})")
  endif()
  get_target_property(is_pure qn_${name} QN_PURE)
  get_target_property(is_below_pure qn_${dependency} QN_PURE)
  if(is_pure AND NOT is_below_pure)
    message(FATAL_ERROR "layering: ${name} is pure and may not use ${dependency}, which is not")
  endif()
endfunction()

function(qn_expose_headers name)
  set(view ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${view})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR} ${view}/${name} SYMBOLIC)
  target_include_directories(qn_${name} PUBLIC ${view})
endfunction()

# The rooms as a table for the lint scripts, one a line: name, rank, 1 if pure, folder, archive,
# include path (separated by ':'), dependencies (by ','), separated by '|'.
function(qn_write_rooms path)
  get_property(rooms GLOBAL PROPERTY QN_LIBRARIES)
  set(table "")
  foreach(room IN LISTS rooms)
    set(target qn_${room})
    get_target_property(rank ${target} QN_RANK)
    get_target_property(is_pure ${target} QN_PURE)
    get_target_property(folder ${target} QN_PATH)
    get_target_property(depends ${target} QN_DEPENDS)
    list(JOIN depends "," depends)
    string(APPEND table "${room}|${rank}|$<BOOL:${is_pure}>|${folder}|$<TARGET_FILE:${target}>|"
      "$<JOIN:$<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>,:>|${depends}\n")
  endforeach()
  file(GENERATE OUTPUT ${path} CONTENT "${table}")
endfunction()
