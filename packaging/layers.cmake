# The layering of docs/architecture.md, enforced: one declaration names a library, its rank and
# what it may use; an edge to a library of the same or a higher rank stops the configuration.
#
#   qn_library(model RANK 20 PURE DEPENDS base crypto proto SOURCES a.c b.c EXTERNAL OpenSSL::Crypto)
#
# PURE libraries are checked by tests/lint/pure_symbols.sh against an allow-list of symbols.
define_property(TARGET PROPERTY QN_RANK BRIEF_DOCS "rank in the layering" FULL_DOCS "see layers.cmake")
set_property(GLOBAL PROPERTY QN_LIBRARIES "")
set_property(GLOBAL PROPERTY QN_PURE_LIBRARIES "")

function(qn_check_edge name rank dependency)
  if(NOT TARGET qn_${dependency})
    message(FATAL_ERROR "layering: ${name} uses ${dependency}, which is not declared before it")
  endif()
  get_target_property(below qn_${dependency} QN_RANK)
  if(NOT below LESS rank)
    message(FATAL_ERROR "layering: ${name} (rank ${rank}) may not use ${dependency} (rank ${below})")
  endif()
endfunction()

function(qn_library name)
  cmake_parse_arguments(ARG "PURE" "RANK" "DEPENDS;SOURCES;EXTERNAL" ${ARGN})
  add_library(qn_${name} STATIC ${ARG_SOURCES})
  set_target_properties(qn_${name} PROPERTIES QN_RANK ${ARG_RANK})
  foreach(dependency IN LISTS ARG_DEPENDS)
    qn_check_edge(${name} ${ARG_RANK} ${dependency})
    target_link_libraries(qn_${name} PUBLIC qn_${dependency})
  endforeach()
  target_link_libraries(qn_${name} PRIVATE ${ARG_EXTERNAL})
  qn_expose_headers(${name})
  set_property(GLOBAL APPEND PROPERTY QN_LIBRARIES ${name})
  if(ARG_PURE)
    set_property(GLOBAL APPEND PROPERTY QN_PURE_LIBRARIES ${name})
  endif()
endfunction()

# A library sees its own headers and those of its dependencies, nothing else: the include path is a
# folder of links that is made for it alone.
function(qn_expose_headers name)
  set(view ${CMAKE_BINARY_DIR}/include/${name})
  file(MAKE_DIRECTORY ${view})
  qn_room_path(${name} path)
  file(CREATE_LINK ${path} ${view}/${name} SYMBOLIC)
  target_include_directories(qn_${name} PUBLIC ${view})
endfunction()

function(qn_room_path name ret_path)
  if(name STREQUAL "proto")
    set(${ret_path} ${CMAKE_SOURCE_DIR}/proto PARENT_SCOPE)
  else()
    set(${ret_path} ${CMAKE_SOURCE_DIR}/daemon/${name} PARENT_SCOPE)
  endif()
endfunction()
