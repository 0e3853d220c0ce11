# Every program is built with what the compiler and linker offer against memory errors.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

if [ -n "${FT_ASAN:-}" ]; then
    skip "hardening of the sanitized build"
    finish
fi
for program in "$FT_BIN"/ft*; do
    t=${program##*/}
    readelf -hW "$program" >header
    readelf -lW "$program" >segments
    readelf -dW "$program" >dynamic
    objdump -d --disassemble=main "$program" >code
    readelf -nW "$program" >notes
    readelf -W --dyn-syms "$program" >symbols
    check "$t is position-independent" grep -q 'Type:.*DYN' header
    check "$t has no executable stack" grep -q 'GNU_STACK.* RW ' segments
    check "$t has read-only relocations" grep -q GNU_RELRO segments
    check "$t binds all symbols at start" grep -Eq 'BIND_NOW|FLAGS_1.*NOW' dynamic
    check "$t has stack protectors" grep -q __stack_chk_fail symbols
    check "$t uses checked library calls" grep -q '_chk@' symbols
    check "$t is marked for the shadow stack" grep -q SHSTK notes
    check "$t has landing pads for indirect branches" grep -q endbr64 code
    check "$t has no segment that is writable and executable" \
        sh -c '! grep -E "LOAD.* RWE " segments'
done
finish
