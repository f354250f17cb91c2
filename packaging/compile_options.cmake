# Warnings are errors; the release is hardened as Debian does it.
add_compile_options(
  -Wall -Wextra -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
  -Wpointer-arith -Wcast-qual -Wvla -Wformat=2 -Wno-unused-parameter
  -fno-common -fstack-protector-strong -fno-omit-frame-pointer)
add_compile_definitions(_GNU_SOURCE)

option(QN_FUZZ "Build the fuzz targets with libFuzzer (clang)" OFF)
if(QN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link) # so that libFuzzer sees which branches are taken
endif()

if(QN_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -g -O1)
  add_link_options(-fsanitize=address,undefined)
else()
  add_compile_options($<$<CONFIG:Release,RelWithDebInfo>:-D_FORTIFY_SOURCE=2>)
  add_compile_options(-fstack-clash-protection -fcf-protection)
  add_link_options(-Wl,-z,relro,-z,now -pie -Wl,--as-needed)
endif()
