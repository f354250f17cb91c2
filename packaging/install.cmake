# What an installation consists of, and the Debian package: `cpack -G DEB` in the build directory.
# Programs and what is made from them take part as soon as their targets exist.

find_program(QN_MSGFMT msgfmt REQUIRED)
find_program(QN_GZIP gzip REQUIRED)

set(QN_SYSTEMD_DIR lib/systemd/system)
set(QN_SYSUSERS_DIR lib/sysusers.d)
set(QN_TMPFILES_DIR lib/tmpfiles.d)
set(QN_COMPLETIONS_DIR ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)

# Compresses `from` into the build directory; without name and time, so that builds are reproducible.
function(qn_compress from name ret_path)
  set(path ${CMAKE_BINARY_DIR}/packaging/${name}.gz)
  add_custom_command(OUTPUT ${path}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/packaging
    COMMAND ${QN_GZIP} -9nc ${from} > ${path}
    DEPENDS ${from} VERBATIM)
  set(${ret_path} ${path} PARENT_SCOPE)
endfunction()

function(qn_install_programs)
  if(TARGET syncd)
    install(TARGETS syncd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
  endif()
  if(TARGET syncd-reader)
    install(TARGETS syncd-reader RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
  endif()
  if(TARGET syncctl)
    install(TARGETS syncctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()

function(qn_install_manual)
  file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.[1-9])
  set(compressed "")
  foreach(page IN LISTS pages)
    cmake_path(GET page FILENAME name)
    string(REGEX MATCH "[1-9]$" section ${name})
    qn_compress(${page} ${name} path)
    install(FILES ${path} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    list(APPEND compressed ${path})
  endforeach()
  add_custom_target(manual ALL DEPENDS ${compressed})
endfunction()

# The completion comes from the command table of the program itself.
function(qn_install_completion)
  if(NOT TARGET syncctl)
    return()
  endif()
  set(path ${CMAKE_BINARY_DIR}/packaging/syncctl.bash)
  add_custom_command(OUTPUT ${path}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/packaging
    COMMAND ${CMAKE_COMMAND} -E env ASAN_OPTIONS=detect_leaks=0
            $<TARGET_FILE:syncctl> completion bash > ${path}
    DEPENDS syncctl VERBATIM)
  add_custom_target(completion ALL DEPENDS ${path})
  install(FILES ${path} DESTINATION ${QN_COMPLETIONS_DIR} RENAME syncctl)
endfunction()

# Also put below the build directory, so that programs find them before they are installed.
function(qn_install_translations)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/packaging/po/*.po)
  set(catalogues "")
  foreach(source IN LISTS sources)
    cmake_path(GET source STEM language)
    set(folder ${CMAKE_BINARY_DIR}/locale/${language}/LC_MESSAGES)
    add_custom_command(OUTPUT ${folder}/quoin.mo
      COMMAND ${CMAKE_COMMAND} -E make_directory ${folder}
      COMMAND ${QN_MSGFMT} --check --output-file=${folder}/quoin.mo ${source}
      DEPENDS ${source} VERBATIM)
    install(FILES ${folder}/quoin.mo DESTINATION ${CMAKE_INSTALL_LOCALEDIR}/${language}/LC_MESSAGES)
    list(APPEND catalogues ${folder}/quoin.mo)
  endforeach()
  add_custom_target(translations ALL DEPENDS ${catalogues})
endfunction()

function(qn_install_service)
  install(FILES packaging/systemd/quoin.service packaging/systemd/quoin-reader.socket
    packaging/systemd/quoin-reader@.service packaging/systemd/quoin-mail.socket
    packaging/systemd/quoin-mail@.service DESTINATION ${QN_SYSTEMD_DIR})
  install(FILES packaging/quoin.sysusers DESTINATION ${QN_SYSUSERS_DIR} RENAME quoin.conf)
  install(FILES packaging/quoin.tmpfiles DESTINATION ${QN_TMPFILES_DIR} RENAME quoin.conf)
  install(FILES packaging/quoin.conf DESTINATION /etc/quoin)
  install(DIRECTORY DESTINATION /etc/quoin/quoin.conf.d)
endfunction()

function(qn_install_documents)
  configure_file(packaging/debian/changelog.in packaging/changelog @ONLY)
  qn_compress(${CMAKE_BINARY_DIR}/packaging/changelog changelog changelog)
  add_custom_target(documents ALL DEPENDS ${changelog})
  install(FILES README.md ${changelog} packaging/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
  install(FILES packaging/quoin.conf DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
  install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md"
    PATTERN man EXCLUDE)
endfunction()

qn_install_programs()
qn_install_manual()
qn_install_completion()
qn_install_translations()
qn_install_service()
qn_install_documents()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME quoin)
set(CPACK_PACKAGE_VENDOR "Quoin developers")
set(CPACK_PACKAGE_CONTACT "Quoin developers <quoin@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "records that a group of sites shares, also while cut off")
set(CPACK_PACKAGE_DESCRIPTION
"Quoin lets small organisations that are each their own master pool their IT.
Each site runs the daemon syncd; the sites of a group keep collections of
records in sync over mutually authenticated TLS, go on working while a line is
down, and lose nothing when two of them edit the same thing.
.
syncctl is the command for everything else: forming a group, records,
conflicts, and one report that says whether all is well.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "bash-completion")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
foreach(script postinst prerm postrm conffiles)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/debian/${script})
endforeach()
include(CPack)
