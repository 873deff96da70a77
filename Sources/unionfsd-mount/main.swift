internal import Glibc

exit(Run.main())
