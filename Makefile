.PHONY: demo test fuzz bench
demo test fuzz bench:
	python3 start.py $@
