internal import ArgumentParser
internal import Glibc
internal import LinuxSys
internal import MountState

let words = Process.arguments
// As a parent may have left it: nobody's end could be waited for.
Process.restoreSignal(SIGCHLD)
if HandOver.isPlainForm(words) {
    Console.say(HandOver.execute(Array(words.dropFirst()), calledAs: words.first ?? "unionfsd"))
    exit(1)
}
UnionFSD.main(words.dropFirst().map(Words.text))
