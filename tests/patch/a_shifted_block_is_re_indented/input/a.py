class A:
    def f(self):
        if self.ok:
            run()
