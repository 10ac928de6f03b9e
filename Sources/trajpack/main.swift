import Glibc
import TrajpackCommands

exit(Trajpack.main(CommandLine.arguments))
