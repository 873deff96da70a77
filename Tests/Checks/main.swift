import CShims
import Glibc

// unionfsd-check: judges a union mount from outside. It works on directories it is given and does not know how a
// mount is made. Exit status: 0 no difference, 1 differences, 2 usage or work that could not be done.

let usageText = """
    usage: unionfsd-check SUBCOMMAND
      parity NATIVE_DIR MOUNT_DIR [--lower-prepared] [--known SET[,SET]] [--only PREFIX] [--verbose]
      parity --list
      prepare DIR [--seed N]
      layers DIR --count K --seed N
      random --reference REF_DIR --mount MNT_DIR --seed N --ops M [--check-every K]
             [--remount PROGRAM [--remount-every K]]
             [--trace] [--drop-caches] [--dir-times] [--known overlay,plain,metacopy,writeback]
      manifest DIR [--portable] [--no-mtime-of-dirs]
      stress DIR --seconds S --processes P --seed N [--known writeback]
      inject --pid P [--at N] [--only CALL] [--kill | --kill-after | --lose | --error ERRNO] [--guardian P [--again \
      N]] -- COMMAND...
      call WHAT PATH [PATH]
      powercut DIR
      bench WORKLOAD PATH [COUNT]
    """

func run(_ words: [Name]) -> Int32 {
    guard let subcommand = words.first else { return Arguments.usage() }
    let rest = Array(words.dropFirst())
    switch subcommand {
    case "parity": return Parity.run(rest)
    case "prepare": return Prepare.run(rest)
    case "layers": return Layers.run(rest)
    case "random": return RandomRun.run(rest)
    case "stress": return StressRun.run(rest)
    case "inject": return Inject.run(rest)
    case "call": return Call.run(rest)
    case "bench": return Bench.run(rest)
    case "powercut": return Inject.powerCut(rest)
    case "manifest": return Manifest.run(rest)
    default: return Arguments.usage()
    }
}

// Modes are what the tests say, not what the caller's umask makes of them.
umask(0)
var descriptors: UInt64 = 0
_ = unsafe cs_raise_nofile(&descriptors)
// Bytes as they are: `CommandLine.arguments` would repair what is not UTF-8.
let words = (1..<max(1, Int(CommandLine.argc))).compactMap { index in
    unsafe CommandLine.unsafeArgv[index].map { unsafe Name(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
}
exit(run(words))
