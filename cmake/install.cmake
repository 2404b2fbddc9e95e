# What `cmake --install` puts where: the library with its headers, the program, and what lets
# others find them (find_package(understudy), pkg-config understudy).

include(CMakePackageConfigHelpers)

install(TARGETS understudy EXPORT understudyTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/understudy
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
if(TARGET understudy_program)
    install(TARGETS understudy_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/understudy)
install(EXPORT understudyTargets NAMESPACE Understudy:: DESTINATION ${package_folder})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/understudyConfig.cmake.in
    ${PROJECT_BINARY_DIR}/understudyConfig.cmake INSTALL_DESTINATION ${package_folder})
# Until 1.0 a minor version may change the API.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/understudyConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/understudyConfig.cmake
              ${PROJECT_BINARY_DIR}/understudyConfigVersion.cmake
        DESTINATION ${package_folder})

# Relative to where the file lies, so that the installed tree may be moved.
file(RELATIVE_PATH prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" prefix_from_pc ${prefix_from_pc})
configure_file(${PROJECT_SOURCE_DIR}/cmake/understudy.pc.in
               ${PROJECT_BINARY_DIR}/understudy.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/understudy.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(completion ${PROJECT_SOURCE_DIR}/packaging/completion/understudy.bash)
if(EXISTS ${completion})
    install(FILES ${completion}
            DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME understudy)
endif()
