from backbone_bench.cli import main

main()
