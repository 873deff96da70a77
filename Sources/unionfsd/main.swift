internal import ArgumentParser
internal import Glibc
internal import LinuxSys
internal import MountState

let words = Process.arguments
if HandOver.isPlainForm(words) {
    Console.say(HandOver.execute(Array(words.dropFirst()), calledAs: words.first ?? "unionfsd"))
    exit(1)
}
UnionFSD.main(words.dropFirst().map(Words.text))
