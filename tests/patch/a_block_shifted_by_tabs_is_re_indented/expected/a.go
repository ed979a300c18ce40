func f() {
	if ok {
		check()
		run()
	}
}
