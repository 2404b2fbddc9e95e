# The other parts of the program: its completion, its systemd unit, and the tests that run it as
# users do.

add_custom_command(TARGET understudy_program POST_BUILD
    COMMAND understudy_program completion bash > ${CMAKE_CURRENT_BINARY_DIR}/understudy.bash
    VERBATIM)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/understudy.bash
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME understudy)
# The place of the program is known only when it is installed (cmake --install --prefix).
install(CODE "set(program \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/understudy\")
configure_file(\"${PROJECT_SOURCE_DIR}/packaging/understudy-registry.service\"
               \"${CMAKE_CURRENT_BINARY_DIR}/understudy-registry.service\" @ONLY)")
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/understudy-registry.service
        DESTINATION lib/systemd/system)

if(UNDERSTUDY_TESTS)
    understudy_executable(understudy_test_service SOURCES tests/service.cc MODULES ${quick})
    understudy_executable(understudy_test_replica SOURCES tests/replica.cc MODULES ${quick})
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    set(environment "UNDERSTUDY_PROGRAM=$<TARGET_FILE:understudy_program>"
                    "UNDERSTUDY_TEST_SERVICE=$<TARGET_FILE:understudy_test_service>"
                    "UNDERSTUDY_TEST_REPLICA=$<TARGET_FILE:understudy_test_replica>"
                    "UNDERSTUDY_EXAMPLES=$<TARGET_FILE_DIR:replicated_kv>"
                    "UNDERSTUDY_SANITIZED=${UNDERSTUDY_SANITIZE}"
                    "UNDERSTUDY_RAFT=${UNDERSTUDY_RAFT}"
                    "PYTHONDONTWRITEBYTECODE=1")
    foreach(name command_line completion configuration coordinator definition demo documents
                 examples group_replay journal immortals output platform registry tls)
        add_test(NAME program/${name}
            COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/tests/${name}_test.py -v)
        set_tests_properties(program/${name} PROPERTIES TIMEOUT 900 LABELS process
            ENVIRONMENT "${environment}")
    endforeach()
endif()
