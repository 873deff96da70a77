# A compile of several files with make, again after a change, a library, and running what came out.
mkdir /root/c && cd /root/c
printf '#include <stdio.h>\n#include "part.h"\nint main(void) { int s = 0;\n' >main.c
: >part.h
for n in 1 2 3 4 5 6; do
    printf 'int part%d(int x);\n' $n >>part.h
    printf '#include <stdlib.h>\n#include <string.h>\n#include "part.h"\nint part%d(int x) { return x + %d; }\n' $n $n >part$n.c
    printf 's = part%d(s);\n' $n >>main.c
done
printf 'printf("sum %%d\\n", s); return 0; }\n' >>main.c
cat >Makefile <<'END'
CFLAGS = -O1 -Wall
OBJECTS = main.o part1.o part2.o part3.o libparts.a
prog: $(OBJECTS) libshared.so
	gcc -o $@ $(OBJECTS) -L. -lshared -Wl,-rpath,'$$ORIGIN'
libparts.a: part4.o part5.o
	ar rcs $@ $^
libshared.so: part6.c
	gcc -shared -fPIC -o $@ part6.c
%.o: %.c part.h
	gcc $(CFLAGS) -c -o $@ $<
END
make && ./prog
make
sleep 0.01; sed -i 's/x + 3/x + 30/' part3.c && make && ./prog
ldd ./prog | sed 's/ (0x.*//' | sort
make -B -j2 >/dev/null && ./prog && sha256sum prog libparts.a libshared.so
# A running program's file cannot be written, but it can be replaced.
cp /bin/sleep ./sleeper
./sleeper 60 &
while [ "$(readlink /proc/$!/exe)" != /root/c/sleeper ]; do sleep 0.05; done
(echo x >>/root/c/sleeper) 2>&1 || echo "text file busy"
rm /root/c/sleeper && echo replaced >/root/c/sleeper && cat /root/c/sleeper
kill $!
wait $! 2>/dev/null || true # whether the shell says "Terminated" is a race
