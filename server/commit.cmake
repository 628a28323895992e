# Writes HEADER with the git commit of SOURCE, empty when git or the repository is not there. A header that says so
# already is left alone, so that nothing is built again.
execute_process(COMMAND git -C "${SOURCE}" rev-parse --short=12 HEAD
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit "")
endif()
file(CONFIGURE OUTPUT "${HEADER}" CONTENT "#define NOF0_COMMIT \"${commit}\"\n")
