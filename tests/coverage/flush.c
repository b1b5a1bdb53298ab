/* flush.c - linked with --wrap=_exit when coverage is measured: a child that
 * ends with _exit, as those that die on purpose do, still counts. */
void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
